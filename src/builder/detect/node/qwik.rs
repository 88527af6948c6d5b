//! Qwik City: a server for Node or static files, by its adapter.

use super::super::findings::Findings;
use super::super::no_builder;
use super::{Source, Way, frameworks};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// Adapters for Node: their directory and their output.
const SERVERS: [(&str, &str); 3] = [
    ("express", "server/entry.express"),
    ("fastify", "server/entry.fastify"),
    ("node-server", "server/entry.node-server"),
];

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, _) = frameworks::build(source, &["qwik"], "build", "qwik build", findings)?;
    let has = |adapter: &str| source.tree.has_directory(&format!("adapters/{adapter}"));
    if let Some((_, file)) = SERVERS.iter().find(|(adapter, _)| has(adapter)) {
        return Ok(Way::program("Qwik City", build, Some(&["node", file])));
    }
    if has("static") {
        return Ok(Way::site("Qwik City", build, Site::new("dist", Otherwise::NotFound)));
    }
    Err(no_builder(
        "adapters/ has no supported adapter; add a server with `npm run qwik add express`, or static files with `npm \
         run qwik add static`",
    ))
}
