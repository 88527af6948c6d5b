//! VitePress and VuePress: the built pages are next to the configuration, in the directory of the documents.

use super::super::findings::Findings;
use super::Source;
use super::config::Config;
use super::invocation::Invocation;
use super::{paths, site};
use crate::builder::dockerfile::site::Site;
use crate::builder::outcome::Failure;

/// Where they are, and at which path they answer.
pub(super) fn adjust(
    source: &Source<'_>,
    call: Option<&Invocation>,
    site: &mut Site,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let tool = if source.package.has("vitepress") { ".vitepress" } else { ".vuepress" };
    let called = call.and_then(|call| call.argument("build")).map(str::to_owned);
    // By default it is the directory with the configuration.
    let has = |root: &&str| source.tree.has_directory(format!("{root}/{tool}").trim_start_matches('/'));
    let found = || ["", "docs", "doc", "src"].into_iter().find(has);
    let called = called.unwrap_or_else(|| found().unwrap_or_default().to_owned());
    let root = paths::output(source, "", &called, "the directory that is built")?;
    let below = |name: &str| if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") };
    let config = Config::read(source, &[&below(&format!("{tool}/config"))])?;
    let said = call.and_then(|call| call.option(&["--outDir", "--dest", "-d"])).map(str::to_owned);
    let key = if tool == ".vitepress" { "outDir" } else { "dest" };
    site.output = match said.or_else(|| config.text(key, findings)) {
        // VuePress resolves it from its working directory.
        Some(path) if tool == ".vuepress" => paths::output(source, "", &path, "dest")?,
        Some(path) => paths::output(source, &root, &path, &format!("outDir in {}", config.file))?,
        None => below(&format!("{tool}/dist")),
    };
    let said = call.and_then(|call| call.option(&["--base"])).map(str::to_owned);
    if let Some(path) = said.or_else(|| config.text("base", findings)) {
        site::answer_at(&path, site, findings);
    }
    Ok(())
}
