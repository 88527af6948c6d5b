//! Where the links of a source lead. Targets outside of the source do not count.

use std::path::{Path, PathBuf};

use super::tree::Tree;
use crate::builder::outcome::Failure;
use crate::protocol::report::Stage;

/// The real path of a path of the source, relative to its root; None if it does not exist.
pub(super) fn real(root: Tree<'_>, path: &str) -> Option<String> {
    inside(root.root(), &root.root().join(path))
}

fn inside(source: &Path, path: &Path) -> Option<String> {
    path.canonicalize().ok()?.strip_prefix(source).ok()?.to_str().map(str::to_owned)
}

/// The targets outside of a directory of the links in and below it. No link is followed.
pub(super) fn targets(root: Tree<'_>, directory: &str) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::workspace(Stage::Detect, "the source could not be read", &error);
    let top = root.root().join(directory);
    let mut found: Vec<String> = vec![];
    let mut open: Vec<PathBuf> = vec![top.clone()];
    while let Some(place) = open.pop() {
        for entry in std::fs::read_dir(place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_symlink() {
                let target = inside(root.root(), &entry.path());
                found.extend(target.filter(|target| !root.root().join(target).starts_with(&top)));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
