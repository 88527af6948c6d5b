//! SolidStart: the server of Nitro that Vinxi or Vite makes, or files.

use super::super::findings::Findings;
use super::config::Config;
use super::javascript::Value;
use super::{Source, Way, frameworks};
use crate::build::dockerfile::site::{Otherwise, Site};
use crate::build::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let usual = if source.package.has("vinxi") { "vinxi build" } else { "vite build" };
    let (build, _) = frameworks::build(source, &["vinxi", "vite"], "build", usual, findings)?;
    let config = Config::read(source, &["app.config"])?;
    let preset = config.get("server.preset").and_then(Value::text);
    if preset == Some("static") || config.get("server.static") == Some(&Value::Bool(true)) {
        return Ok(Way::site("SolidStart", build, Site::new(".output/public", Otherwise::NotFound)));
    }
    Ok(Way::program("SolidStart", build, Some(&["node", ".output/server/index.mjs"])))
}
