//! Astro: files, or a server with the adapter for Node.

use super::super::no_builder;
use super::{Source, Way, quoted};
use crate::build::dockerfile::node::Serve;
use crate::build::dockerfile::site::{Otherwise, Site};
use crate::build::outcome::Failure;

/// How Astro is built and served.
pub(super) fn way(source: &Source<'_>) -> Result<Way, Failure> {
    let configuration = source.configuration("astro")?;
    let serve = if source.package.has("@astrojs/node") {
        if quoted(&configuration, "mode") == Some("middleware") {
            return Err(no_builder(
                "astro.config gives @astrojs/node mode: \"middleware\", which starts no server; write mode: \"standalone\", or \
                 add a \"start\" script of your own server",
            ));
        }
        let command = ["node", "dist/server/entry.mjs"].map(str::to_owned);
        Serve::Program { command: Some(command.into()), writes: false }
    } else if matches!(quoted(&configuration, "output"), Some("server" | "hybrid")) {
        return Err(no_builder(
            "astro.config asks for a server, and package.json has no @astrojs/node; add it (npx astro add node), or take \
             output: \"server\" out",
        ));
    } else {
        Serve::Site(Site::new("dist", Otherwise::NotFound))
    };
    Ok(Way { what: "Astro", build: Some(source.build("astro build")?), cache: None, serve })
}
