//! Next.js: a standalone server, a server with its packages, or static files.

use super::super::findings::Findings;
use super::config::Config;
use super::{Source, Way, frameworks, paths, site};
use crate::builder::dockerfile::node::Serve;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// How Next.js is built and served, by `output` in its configuration.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, _) = frameworks::build(source, &["next"], "build", "next build", findings)?;
    let config = Config::read(source, &["next.config"])?;
    let directory = config.text("distDir", findings);
    // Before `output: "export"`, a command exported the site.
    let exported = source.package.scripts.get("build").is_some_and(|line| line.contains("next export"));
    let serve = match config.text("output", findings).as_deref() {
        Some("standalone") if directory.is_none() => {
            Serve::Standalone { public: source.tree.has_directory("public") }
        }
        Some("export") => {
            let directory = directory.unwrap_or_else(|| "out".to_owned());
            let mut site = Site::new(paths::output(source, "", &directory, "distDir")?, Otherwise::NotFound);
            if let Some(path) = config.text("basePath", findings) {
                site::answer_at(&path, &mut site, findings);
            }
            Serve::Site(site)
        }
        _ if exported => Serve::Site(Site::new("out", Otherwise::NotFound)),
        other => {
            if other.is_none() {
                findings.assume("output: \"standalone\" in next.config makes the image much smaller");
            }
            let command = ["node", "node_modules/next/dist/bin/next", "start", "-H", "0.0.0.0"];
            Serve::Program { command: Some(command.map(str::to_owned).into()) }
        }
    };
    Ok(Way { cache: Some("/app/.next/cache"), serve, ..Way::program("Next.js", build, None) })
}
