//! Nuxt: a Nitro server, or static files.

use super::super::findings::Findings;
use super::super::no_builder;
use super::config::Config;
use super::{Source, Way, frameworks, site};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// The Nitro presets for self-hosted servers.
const SERVERS: [&str; 4] = ["node-server", "node_server", "node-cluster", "node_cluster"];

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, &["nuxt", "nuxi"], "build", "nuxt build", findings)?;
    let config = Config::read(source, &["nuxt.config"])?;
    let preset = config.text("nitro.preset", findings);
    let generated = call.is_some_and(|call| call.has("generate") || call.has("--prerender"));
    if generated || preset.as_deref() == Some("static") {
        let otherwise = match config.bool("ssr") {
            Some(false) => Otherwise::Page("200.html".to_owned()),
            _ => Otherwise::NotFound,
        };
        let mut made = Site::new(".output/public", otherwise);
        if let Some(path) = config.text("app.baseURL", findings) {
            site::answer_at(&path, &mut made, findings);
        }
        return Ok(Way::site("Nuxt", build, made));
    }
    if let Some(preset) = preset.filter(|preset| !SERVERS.contains(&preset.as_str())) {
        return Err(no_builder(format!(
            "nitro.preset in {} is {preset:?}, whose output runs only on that platform; remove it, or write \
            \"node-server\"",
            config.file
        )));
    }
    Ok(Way::program("Nuxt", build, Some(&["node", ".output/server/index.mjs"])))
}
