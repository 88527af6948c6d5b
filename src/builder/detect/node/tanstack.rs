//! TanStack Start: the Nitro server, or formerly Vinxi's; without one, Vite's preview server.

use super::super::findings::Findings;
use super::config::Config;
use super::{Source, Way, frameworks};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, &["vite", "vinxi"], "build", "vite build", findings)?;
    let start = source.package.scripts.get("start").map_or("", String::as_str);
    let config = Config::read(source, &["vite.config"])?;
    let vinxi = source.package.has("vinxi") && !call.is_some_and(|_| config.calls(&["tanstackStart"]));
    let nitro = config.calls(&["nitro", "nitroV2Plugin"]) || start.contains(".output/server");
    if nitro || vinxi {
        return Ok(Way::program("TanStack Start", build, Some(&["node", ".output/server/index.mjs"])));
    }
    findings.warn(
        "vite.config has no nitro(), so Vite's preview server serves the build; add the package nitro and its plugin \
         for a production server",
    );
    let command = "vite preview --host 0.0.0.0 --port $PORT --strictPort";
    let way = Way::program("TanStack Start", build, Some(&["/bin/sh", "-c", &format!("exec {command}")]));
    Ok(way)
}
