//! Qwik City: what its adapter makes, a server for Node or files.

use super::super::findings::Findings;
use super::super::no_builder;
use super::{Source, Way, frameworks};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// Adapters for Node: their directory, and what they make.
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
        "adapters/ has no adapter that is known here: add a server with `npm run qwik add express`, or files with `npm run \
         qwik add static`",
    ))
}
