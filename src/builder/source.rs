//! Copies a source from a mounted ConfigMap, and checks that nothing in a source leads out of its tree. It changes no
//! file of the source.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::version::files_digest;

/// Most bytes that the files of a source may have.
pub(super) const MAX_BYTES: u64 = 512 << 20;
/// Most files, links and directories that a source may have.
pub(super) const MAX_FILES: u64 = 100_000;

/// The failure of a source that is too large.
pub(super) fn too_large() -> Failure {
    let message = format!(
        "the source is larger than {} MiB or has more than {MAX_FILES} files and directories; leave build results and \
         data out of it",
        MAX_BYTES >> 20
    );
    Failure::new(Stage::Verify, FailureReason::SourceTooLarge, message)
}

/// Copies the keys of a mounted ConfigMap to `tree`. Their digest must be the one in the order.
pub(super) fn copy_config_map(mount: &Path, digest: &str, tree: &Path) -> Result<usize, Failure> {
    let failed =
        |error| Failure::workspace(Stage::Fetch, "the files of the ConfigMap could not be copied", &error);
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(mount).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // The kubelet swaps all files at once through `..data` and its timestamped target; no key starts with `..`.
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") {
            files.insert(name, std::fs::read(entry.path()).map_err(failed)?);
        }
    }
    if files_digest(&files) != digest {
        let message =
            "the ConfigMap changed before the build read it; the build starts again with the current content";
        return Err(Failure::new(Stage::Fetch, FailureReason::SourceChanged, message));
    }
    std::fs::create_dir_all(tree).map_err(failed)?;
    for (name, content) in &files {
        std::fs::write(tree.join(name), content).map_err(failed)?;
    }
    Ok(files.len())
}

/// The size of a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Walks the whole tree. Allows only files, directories and links that stay inside, within the limits.
pub(super) fn verify(tree: &Path) -> Result<Size, Failure> {
    let failed = |error| Failure::workspace(Stage::Verify, "the source could not be read", &error);
    let tree = tree.canonicalize().map_err(failed)?;
    let mut size = Size::default();
    let mut open = vec![tree.clone()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, data) = (entry.path(), entry.metadata().map_err(failed)?);
            size.files += 1;
            if data.is_symlink() {
                check_link(&tree, &path)?;
            } else if data.is_dir() {
                open.push(path);
            } else if data.is_file() {
                size.bytes += data.len();
            } else {
                return Err(unsafe_source(&tree, &path, "is a device, a pipe or a socket"));
            }
            if size.files > MAX_FILES || size.bytes > MAX_BYTES {
                return Err(too_large());
            }
        }
    }
    Ok(size)
}

/// A link may point to nothing, but neither its target nor where it finally leads may be outside.
fn check_link(tree: &Path, link: &Path) -> Result<(), Failure> {
    let leaves = || {
        unsafe_source(
            tree,
            link,
            "is a link that leads out of the source; make it relative and keep it inside",
        )
    };
    let target = std::fs::read_link(link).map_err(|_| leaves())?;
    let from = link.parent().and_then(|parent| parent.strip_prefix(tree).ok()).ok_or_else(leaves)?;
    stays_inside(from, &target).then_some(()).ok_or_else(leaves)?;
    match link.canonicalize() {
        Ok(real) if !real.starts_with(tree) => Err(leaves()),
        _ => Ok(()),
    }
}

/// Whether `target`, seen from the directory `from` (relative to the tree), stays below the tree at every step.
pub(super) fn stays_inside(from: &Path, target: &Path) -> bool {
    let mut depth = from.components().count();
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn unsafe_source(tree: &Path, path: &Path, what: &str) -> Failure {
    let shown = super::log::printable(&path.strip_prefix(tree).unwrap_or(path).to_string_lossy());
    Failure::new(Stage::Verify, FailureReason::UnsafeSource, format!("{shown:?} {what}"))
}

/// The directory of the source to build.
pub(super) fn context(tree: &Path, path: Option<&str>) -> Result<PathBuf, Failure> {
    let path = Path::new(path.unwrap_or("."));
    let missing = |why: &str| {
        let message = format!("path {:?} {why}; correct the path in spec.source", path.display().to_string());
        Failure::new(Stage::Verify, FailureReason::PathNotFound, message)
    };
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(missing("is not a path inside the source: write it relative and without .."));
    }
    let failed = |error| Failure::workspace(Stage::Verify, "the source could not be read", &error);
    let tree = tree.canonicalize().map_err(failed)?;
    let context = tree.join(path).canonicalize().map_err(|_| missing("is not in the source"))?;
    if !context.is_dir() || !context.starts_with(&tree) {
        return Err(missing("is not a directory of the source"));
    }
    Ok(context)
}

#[cfg(test)]
mod tests;
