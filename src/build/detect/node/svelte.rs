//! SvelteKit: what its adapter makes, a server for Node or files.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::{Source, Way, quoted};
use crate::build::dockerfile::node::Serve;
use crate::build::dockerfile::site::{Otherwise, Site};
use crate::build::outcome::Failure;

/// How SvelteKit is built and served.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let serve = if source.package.has("@sveltejs/adapter-node") {
        findings.assume(
            "forms are refused unless ORIGIN is the public address: set it in spec.run.env, such as https://shop.example.com"
                .to_owned(),
        );
        Serve::Program { command: Some(vec!["node".to_owned(), "build".to_owned()]), writes: false }
    } else if source.package.has("@sveltejs/adapter-static") {
        let configuration = format!("{}\n{}", source.configuration("svelte")?, source.configuration("vite")?);
        let fallback = quoted(&configuration, "fallback").filter(|page| is_path(page));
        let otherwise = fallback.map_or(Otherwise::NotFound, |page| Otherwise::Page(page.to_owned()));
        Serve::Site(Site::new("build", otherwise))
    } else {
        return Err(no_builder(
            "package.json has neither @sveltejs/adapter-node (a server) nor @sveltejs/adapter-static (files); add one of \
             them and name it in svelte.config.js",
        ));
    };
    Ok(Way { what: "SvelteKit", build: Some(source.build("vite build")?), cache: None, serve })
}
