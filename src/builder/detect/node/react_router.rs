//! React Router as a framework, and its predecessor Remix: a server, or static files with `ssr: false`.

use super::super::findings::Findings;
use super::config::Config;
use super::javascript::Value;
use super::{Source, Way, frameworks, paths, site};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let remix = !source.package.has("@react-router/dev");
    let (what, tool, usual, serve) = if remix {
        ("Remix", "remix", "remix vite:build", "remix-serve")
    } else {
        ("React Router", "react-router", "react-router build", "react-router-serve")
    };
    let (build, _) = frameworks::build(source, &[tool], "build", usual, findings)?;
    let config = Config::read(source, &["react-router.config"])?;
    let vite = Config::read(source, &["vite.config"])?;
    // Remix has its options in the Vite plugin.
    let plugin = vite.given(&["remix", "vitePlugin"]);
    let said = |key: &str| config.get(key).or_else(|| plugin.and_then(|options| options.get(key)));
    let text = |key: &str| said(key).and_then(Value::text).map(str::to_owned);
    let directory = text("buildDirectory").unwrap_or_else(|| "build".to_owned());
    let directory = paths::output(source, "", &directory, "buildDirectory")?;
    if said("ssr") == Some(&Value::Bool(false)) {
        let mut made = Site::new(format!("{directory}/client"), Otherwise::Page("index.html".to_owned()));
        if let Some(path) = text("basename") {
            site::answer_at(&path, &mut made, findings);
        }
        return Ok(Way::site(what, build, made));
    }
    // The script may pass its own arguments.
    if source.package.scripts.contains_key("start") {
        return Ok(Way::program(what, build, None));
    }
    let server = format!("./{directory}/server/index.js");
    Ok(Way::program(what, build, Some(&[serve, &server])))
}
