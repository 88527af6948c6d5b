//! A program of its own for Node: what its `start` script or its main file starts.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::tree::Tree;
use super::super::{no_builder, step};
use super::package::Package;
use super::{Source, Way};
use crate::build::dockerfile::Step;
use crate::build::dockerfile::node::Serve;
use crate::build::outcome::Failure;

/// How it is built and started.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let scripts = &source.package.scripts;
    let build = step(source.settings).or_else(|| scripts.contains_key("build").then_some(Step::Usual));
    let command = if scripts.contains_key("start") {
        // npm starts the script of any package manager, and is in the image.
        Some(vec!["npm".to_owned(), "start".to_owned()])
    } else {
        file(source.tree, &source.package).map(|file| vec!["node".to_owned(), file])
    };
    if command.is_none() {
        if source.settings.framework.is_none() {
            return Err(no_builder(
                "package.json is there, but it has no \"start\" script, its \"main\" is no file, there is no server.js and no \
                 index.js, and no framework and builder of static sites is known in it; add a \"start\" script or a Dockerfile",
            ));
        }
        findings
            .assume("nothing says how it starts: set spec.run.command, such as [node, app.js]".to_owned());
    }
    let serve = Serve::Program { command, writes: false };
    Ok(Way { what: "a program for Node", build, cache: None, serve })
}

/// The file to start. What a build would only make cannot be seen here: without a script, it must be there.
pub(super) fn file(tree: Tree<'_>, package: &Package) -> Option<String> {
    let main = package.main.as_deref().map(|main| main.trim_start_matches("./"));
    let main = main.filter(|main| is_path(main) && tree.has(main));
    main.or_else(|| tree.first(&["server.js", "index.js"])).map(str::to_owned)
}
