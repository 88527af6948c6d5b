//! A site that is there as it is: which of its directories is served.

use super::findings::Findings;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, node};
use crate::build::dockerfile::site::{self, Otherwise, Site};
use crate::build::order::{Framework, Settings};
use crate::build::outcome::Failure;

const INDEX: [&str; 2] = ["index.html", "public/index.html"];

/// The page that shows a static site.
pub(super) fn sign(tree: Tree<'_>) -> Option<&'static str> {
    tree.first(&INDEX)
}

/// The recipe of a site that nothing needs to build, or of the one that a package.json builds.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    if node::builds_site(tree, settings)? {
        return node::recipe(tree, settings);
    }
    if settings.command.is_some() {
        return Err(no_builder(
            "spec.build.command has nothing to build: the files of a static site are served as they are; leave it out, or \
             set spec.build.framework to what builds the site",
        ));
    }
    let index = tree.first(&INDEX).ok_or_else(|| missing("index.html", Framework::Static))?;
    let directory = index.strip_suffix("index.html").unwrap_or_default().trim_end_matches('/');
    Ok(Generated {
        framework: Framework::Static,
        text: site::files(&Site { built: false, ..Site::new(directory, Otherwise::NotFound) }),
        context: Context::Directory,
        findings: Findings::default(),
    })
}
