//! The workspace that a package belongs to, and its other members.

use super::super::tree::Tree;
use super::super::{Context, glob};
use super::manifest::{Manifest, Members};
use crate::builder::outcome::Failure;

/// Most members that are read.
const MAX_MEMBERS: usize = 200;

/// Where Cargo is run.
#[derive(Clone, Debug)]
pub(super) struct Workspace<'a> {
    /// The context: the directory that is built, or the root of the source.
    pub(super) root: Tree<'a>,
    pub(super) context: Context,
    /// The workspace, or the package without one, below the context (empty, or with a slash at its end).
    pub(super) directory: String,
    /// The members that may hold the program, besides the package itself; below the directory that is built.
    pub(super) members: Vec<String>,
}

/// The workspace of the directory that is built: its own, one above it, or none.
pub(super) fn find<'a>(tree: Tree<'a>, manifest: &Manifest) -> Result<Workspace<'a>, Failure> {
    let here =
        |members| Workspace { root: tree, context: Context::Directory, directory: String::new(), members };
    if let Some(workspace) = &manifest.workspace {
        return Ok(here(members(tree, "", workspace)?));
    }
    let mut above = tree.path();
    while !above.is_empty() {
        above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
        let base = if above.is_empty() { String::new() } else { format!("{above}/") };
        let outer: Option<Manifest> = tree.source().toml(&format!("{base}Cargo.toml"))?;
        if let Some(workspace) = outer.and_then(|outer| outer.workspace) {
            let members = members(tree.source(), &base, &workspace)?;
            if members.iter().any(|member| format!("{base}{member}") == tree.path()) {
                return Ok(whole(tree, base));
            }
            break;
        }
    }
    if manifest.paths().any(leaves) {
        return Ok(whole(tree, format!("{}/", tree.path())));
    }
    Ok(here(vec![]))
}

fn whole(tree: Tree<'_>, directory: String) -> Workspace<'_> {
    let directory = if directory == "/" { String::new() } else { directory };
    Workspace { root: tree.source(), context: Context::Source, directory, members: vec![] }
}

/// Whether a relative path leads out of the directory that it begins in.
fn leaves(path: &str) -> bool {
    let mut depth = 0_i32;
    path.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

/// The directories of the members below `base`; `default-members` first, and alone where there are any.
fn members(tree: Tree<'_>, base: &str, workspace: &Members) -> Result<Vec<String>, Failure> {
    let patterns =
        if workspace.default_members.is_empty() { &workspace.members } else { &workspace.default_members };
    let mut found = Vec::new();
    for pattern in patterns {
        found.extend(glob::directories(tree, base, pattern, "Cargo.toml")?);
    }
    found.retain(|member| !workspace.exclude.iter().any(|excluded| excluded.trim_end_matches('/') == member));
    found.sort();
    found.dedup();
    found.truncate(MAX_MEMBERS);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_above_the_directory_leaves_it() {
        assert!(leaves("../a") && leaves("a/../../b"));
        assert!(!leaves("a/../b") && !leaves("./a"));
    }
}
