//! Next.js: a server that brings its packages with it, a server beside its packages, or files.

use super::super::findings::Findings;
use super::{Source, Way, quoted};
use crate::build::dockerfile::node::Serve;
use crate::build::dockerfile::site::{Otherwise, Site};
use crate::build::outcome::Failure;

/// How Next.js is built and served: as `output` in its configuration says.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let configuration = source.configuration("next")?;
    let serve = match quoted(&configuration, "output") {
        Some("standalone") => Serve::Standalone { public: source.tree.has_directory("public") },
        Some("export") => Serve::Site(Site::new("out", Otherwise::NotFound)),
        _ => {
            findings.assume(
                "output: \"standalone\" in next.config makes the image a good deal smaller".to_owned(),
            );
            let command = ["node", "node_modules/next/dist/bin/next", "start", "-H", "0.0.0.0"];
            Serve::Program { command: Some(command.map(str::to_owned).into()), writes: true }
        }
    };
    let build = source.build("next build")?;
    Ok(Way { what: "Next.js", build: Some(build), cache: Some("/app/.next/cache"), serve })
}
