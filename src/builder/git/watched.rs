//! The digest of the watched paths of a commit. It stays the same as long as no object at these paths changes, whatever
//! else a commit changes.

use std::collections::BTreeSet;

use super::super::outcome::Failure;
use super::super::outermost::outermost;
use super::super::program;
use super::{Git, LOCAL, failure};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::version::text_digest;

/// Longest listing of the watched paths in bytes.
const MAX_TEXT: u64 = 4 << 20;

/// Files at the root of a repository that affect how all its members are installed and built.
const OF_ALL: [&str; 34] = [
    ".dockerignore",
    ".gitattributes",
    ".gitmodules",
    ".lfsconfig",
    ".node-version",
    ".npmrc",
    ".nvmrc",
    ".python-version",
    ".tool-versions",
    ".yarnrc",
    ".yarnrc.yml",
    "Cargo.lock",
    "Cargo.toml",
    "bun.lock",
    "bun.lockb",
    "bunfig.toml",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "lerna.json",
    "mise.toml",
    "npm-shrinkwrap.json",
    "nx.json",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "pyproject.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    "turbo.json",
    "uv.lock",
    "yarn.lock",
];

impl Git {
    /// The digest of `path` and the watched paths of a fetched commit.
    pub(in super::super) async fn watched(
        &self,
        commit: &str,
        path: Option<&str>,
        paths: &BTreeSet<String>,
    ) -> Result<String, Failure> {
        let wanted: BTreeSet<&str> = path
            .into_iter()
            .chain(paths.iter().map(String::as_str))
            .map(|path| path.trim_end_matches('/'))
            .collect();
        let all: BTreeSet<&str> = wanted.iter().copied().chain(OF_ALL).collect();
        let listing = self.entries(commit, &all).await?;
        digest(&listing, outermost(&wanted).copied()).map_err(|missing| {
            let message = format!(
                "commit {commit} of {} does not contain {missing:?}; correct path or watch.paths in spec.source.git",
                self.url
            );
            Failure::new(Stage::Fetch, FailureReason::PathNotFound, message)
        })
    }

    /// The digest of all files of a fetched commit: another commit with the same files is the same source.
    pub(in super::super) async fn everything(&self, commit: &str) -> Result<String, Failure> {
        let listing = self.entries(commit, &BTreeSet::new()).await?;
        Ok(digest(&listing, std::iter::empty()).unwrap_or_default())
    }

    /// Mode, object and path of these entries of a commit; without paths, of the entries at its root.
    async fn entries(&self, commit: &str, paths: &BTreeSet<&str>) -> Result<Vec<u8>, Failure> {
        let mut command = self.git();
        command.env("GIT_LITERAL_PATHSPECS", "1");
        // Git omits a directory from the listing when the arguments also name an entry in it.
        command.args(["ls-tree", "-z", "--full-tree", commit, "--"]).args(outermost(paths));
        let output = program::output(&mut command, MAX_TEXT, LOCAL).await;
        let output = output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?;
        if !output.success {
            return Err(failure::local(Stage::Fetch, &output.stderr));
        }
        Ok(output.stdout)
    }
}

/// The digest of the entries of a listing, `git ls-tree -z` of single paths; or the first of `wanted` that is missing.
fn digest<'a>(listing: &[u8], wanted: impl Iterator<Item = &'a str>) -> Result<String, &'a str> {
    let text = String::from_utf8_lossy(listing);
    let entries: BTreeSet<&str> = text.split('\0').filter(|entry| !entry.is_empty()).collect();
    let there: BTreeSet<&str> =
        entries.iter().filter_map(|entry| entry.split_once('\t')).map(|(_, path)| path).collect();
    for path in wanted {
        if !there.contains(path) {
            return Err(path);
        }
    }
    let entries: Vec<&str> = entries.into_iter().collect();
    Ok(format!("tree:{}", text_digest(&entries.join("\0"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_only_on_the_objects_at_the_paths() {
        let listing = b"040000 tree aa\tapps/shop\x00100644 blob bb\tpackage.json\0";
        let other_order = b"100644 blob bb\tpackage.json\x00040000 tree aa\tapps/shop\0";
        let changed = b"040000 tree ab\tapps/shop\x00100644 blob bb\tpackage.json\0";
        let of = |listing: &[u8]| digest(listing, ["apps/shop"].into_iter()).unwrap();
        assert_eq!(of(listing), of(other_order));
        assert_ne!(of(listing), of(changed));
        assert!(of(listing).starts_with("tree:") && !of(listing).contains('@'));
        assert_eq!(digest(listing, ["apps/shop", "packages/ui"].into_iter()), Err("packages/ui"));
    }
}
