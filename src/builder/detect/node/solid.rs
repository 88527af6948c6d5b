//! SolidStart: the Nitro server that Vinxi or Vite builds, or static files.

use super::super::findings::Findings;
use super::super::no_builder;
use super::config::Config;
use super::javascript::Value;
use super::{Source, Way, frameworks};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let usual = if source.package.has("vinxi") { "vinxi build" } else { "vite build" };
    let (build, _) = frameworks::build(source, &["vinxi", "vite"], "build", usual, findings)?;
    // The configuration of SolidStart 1, else that of 2, which is a plugin of Vite.
    let config = Config::read(source, &["app.config", "vite.config"])?;
    let plugin = || config.given(&["nitro"]).and_then(|given| given.get("preset"));
    let preset = config.get("server.preset").or_else(|| config.get("nitro.preset")).or_else(plugin);
    if preset.and_then(Value::text) == Some("static")
        || config.get("server.static") == Some(&Value::Bool(true))
    {
        return Ok(Way::site("SolidStart", build, Site::new(".output/public", Otherwise::NotFound)));
    }
    let start = source.package.scripts.get("start").map_or("", String::as_str);
    let second = config.file.starts_with("vite.config") && !source.package.has("vinxi");
    if second && !config.calls(&["nitro", "nitroV2Plugin"]) && !start.contains(".output/server") {
        return Err(no_builder(format!(
            "{} has no nitro(), without which SolidStart 2 builds no server; add the package nitro and its plugin",
            config.file
        )));
    }
    Ok(Way::program("SolidStart", build, Some(&["node", ".output/server/index.mjs"])))
}
