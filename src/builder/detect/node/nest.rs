//! NestJS: the program that its build writes to `dist`.

use serde::Deserialize;

use super::super::findings::Findings;
use super::super::names::is_path;
use super::{Source, Way, frameworks, invocation};
use crate::builder::outcome::Failure;

/// What is read of nest-cli.json.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Cli {
    monorepo: bool,
    root: Option<String>,
    entry_file: Option<String>,
}

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, _) = frameworks::build(source, &["nest"], "build", "nest build", findings)?;
    let scripts = &source.package.scripts;
    let start = scripts.get("start");
    // `nest start` builds again at start, so the recipe starts its output instead.
    if start.is_some_and(|line| invocation::of(&source.package, line, &["nest"]).is_none()) {
        return Ok(Way::program("NestJS", build, None));
    }
    let production = scripts.get("start:prod").and_then(|line| line.trim().strip_prefix("node "));
    let file = production.map(str::trim).filter(|file| is_path(file.trim_start_matches("./")));
    let file = match file {
        Some(file) => file.to_owned(),
        None => made(source)?,
    };
    Ok(Way::program("NestJS", build, Some(&["node", &file])))
}

/// The file that `nest build` makes.
fn made(source: &Source<'_>) -> Result<String, Failure> {
    let cli: Cli = source.tree.json("nest-cli.json")?.unwrap_or_default();
    let entry = cli.entry_file.filter(|file| is_path(file)).unwrap_or_else(|| "main".to_owned());
    let root = cli.root.filter(|root| cli.monorepo && is_path(root));
    Ok(root.map_or_else(|| format!("dist/{entry}"), |root| format!("dist/{root}/{entry}")))
}
