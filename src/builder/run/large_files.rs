//! Fetches Git LFS files in the build context, with the login, rules and limits of their repository. A source that is
//! not a repository cannot have them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use super::Build;
use super::origin::Origin;
use crate::builder::address;
use crate::builder::git::{Git, modules};
use crate::builder::lfs::{self, Client, Found, Server, ssh};
use crate::builder::outcome::Failure;
use crate::builder::source::{self, MAX_BYTES};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// A submodule whose files are in the tree.
pub(super) struct Inner {
    /// Its path from the root of the source.
    pub(super) path: String,
    pub(super) git: Git,
    /// Whether it was fetched with the credentials of the source.
    pub(super) trusted: bool,
}

/// A repository whose large files are requested.
struct Repository<'a> {
    /// Its path from the root of the source.
    path: &'a str,
    git: &'a Git,
    trusted: bool,
}

impl Build {
    /// Replaces every Git LFS pointer below `context` by its file.
    pub(super) async fn large_files(
        &self,
        origin: &Origin,
        inner: &[Inner],
        context: &Path,
    ) -> Result<(), Failure> {
        let found = self.pointers(context).await?;
        if found.is_empty() {
            return Ok(());
        }
        let Origin::Git { git, addresses } = origin else { return Err(unreachable(&found)) };
        let bytes = found.iter().fold(0_u64, |sum, file| sum.saturating_add(file.pointer.size));
        self.enter(Stage::Fetch, "lfs", &format!("{} files, {} KiB", found.len(), bytes.div_ceil(1024)));
        if source::verify(&self.workspace.tree)?.bytes.saturating_add(bytes) > MAX_BYTES {
            return Err(too_large(&found, bytes));
        }
        let root = Repository { path: "", git, trusted: true };
        let tree = self.workspace.tree.canonicalize();
        let tree =
            tree.map_err(|error| Failure::workspace(Stage::Verify, "the source could not be read", &error))?;
        for (repository, files) in by_repository(&tree, root, inner, found) {
            self.large_files_of(&repository, addresses, &files).await.map_err(|failure| {
                let within = if repository.path.is_empty() {
                    failure.message
                } else {
                    format!("submodule {:?}: {}", repository.path, failure.message)
                };
                Failure::new(failure.stage, failure.reason, within)
            })?;
        }
        Ok(())
    }

    async fn pointers(&self, context: &Path) -> Result<Vec<Found>, Failure> {
        let (tree, context) = (self.workspace.tree.clone(), context.to_owned());
        let failed = |error: &dyn std::fmt::Display| {
            Failure::workspace(Stage::Verify, "the source could not be read", error)
        };
        let work = tokio::task::spawn_blocking(move || {
            // Both without links, so that one is a prefix of the other.
            lfs::find(&tree.canonicalize()?, &context.canonicalize()?)
        });
        work.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    async fn large_files_of(
        &self,
        repository: &Repository<'_>,
        addresses: &[IpAddr],
        files: &[Found],
    ) -> Result<(), Failure> {
        let server = self.server(repository).await?;
        self.log.line(&format!("{} from {}", lfs::shown(&files.iter().collect::<Vec<_>>()), server.shown()));
        let work = lfs::directory(&self.workspace.directory).map_err(|error| {
            Failure::workspace(Stage::Fetch, "a file of Git LFS could not be written", &error)
        })?;
        Client { http: &self.http, source: addresses, server: &server, work: &work }.replace(files).await
    }

    /// The server with the files of a repository: the one in `.lfsconfig`, the one that the ssh host names, or the one
    /// below the repository's URL.
    async fn server(&self, repository: &Repository<'_>) -> Result<Server, Failure> {
        let Repository { path, git, trusted } = repository;
        let settings = git.settings(&self.workspace.tree.join(path).join(".lfsconfig")).await?;
        let named = settings.map(|text| lfs::named(&text)).transpose()?.flatten();
        let guessed = lfs::guess(git.url());
        if named.is_none()
            && let Some(answer) = git.authenticate().await?
        {
            return ssh::answer(&answer, &guessed);
        }
        let url = named.unwrap_or(guessed);
        let login = || self.credentials.basic().ok().flatten();
        Ok(Server::at(&url)?.with((*trusted && is_beside(git.url(), &url)).then(login).flatten()))
    }
}

/// Whether a login for a repository is also for a server: one with the same transport, host and port or, for a
/// repository over ssh, one over https on the same host.
fn is_beside(repository: &str, server: &str) -> bool {
    let host = |url: &str| address::repository(url).ok().map(|(host, _)| host.name.to_ascii_lowercase());
    let over_ssh = !repository.starts_with("http://") && !repository.starts_with("https://");
    let of_its_host = || {
        let standard = address::parse(server).is_ok_and(|host| host.port == 443);
        over_ssh && server.starts_with("https://") && standard && host(repository) == host(server)
    };
    modules::same_place(repository, server) || of_its_host()
}

/// Groups the files by their innermost repository.
fn by_repository<'a>(
    tree: &Path,
    root: Repository<'a>,
    inner: &'a [Inner],
    found: Vec<Found>,
) -> Vec<(Repository<'a>, Vec<Found>)> {
    let mut files: BTreeMap<Option<usize>, Vec<Found>> = BTreeMap::new();
    for file in found {
        let holds = |inner: &Inner| file.path.starts_with(tree.join(&inner.path));
        let holders = inner.iter().enumerate().filter(|(_, inner)| holds(inner));
        let holder = holders.max_by_key(|(_, inner)| inner.path.len()).map(|(at, _)| at);
        files.entry(holder).or_default().push(file);
    }
    let mut all = Vec::new();
    for (at, inner) in inner.iter().enumerate() {
        if let Some(files) = files.remove(&Some(at)) {
            let Inner { path, git, trusted } = inner;
            all.push((Repository { path, git, trusted: *trusted }, files));
        }
    }
    all.extend(files.remove(&None).map(|files| (root, files)));
    all
}

/// The failure of a source that is not a repository and so has no server.
fn unreachable(found: &[Found]) -> Failure {
    let message = format!(
        "{} of the source are Git LFS pointers, not the files themselves. Build from the repository with \
         spec.source.git, or run git lfs pull before you pack the source",
        lfs::shown(&found.iter().collect::<Vec<_>>())
    );
    Failure::new(Stage::Verify, FailureReason::LargeFileMissing, message)
}

fn too_large(found: &[Found], bytes: u64) -> Failure {
    let message = format!(
        "{} Git LFS files have {} MiB, and with them the source is larger than {} MiB. Leave files that the program \
         does not need out of the build context",
        found.len(),
        bytes >> 20,
        MAX_BYTES >> 20
    );
    Failure::new(Stage::Verify, FailureReason::SourceTooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_login_is_sent_only_to_its_own_host() {
        for (repository, server) in [
            ("https://h/you/shop.git", "https://h/you/shop.git/info/lfs"),
            ("https://h/you/shop.git", "https://h/other"),
            ("git@h:you/shop.git", "https://H/you/shop.git/info/lfs"),
            ("ssh://git@h:2222/shop", "https://h/shop.git/info/lfs"),
        ] {
            assert!(is_beside(repository, server), "{repository} {server}");
        }
        for (repository, server) in [
            ("https://h/you/shop.git", "https://lfs.h/you/shop"),
            ("https://h/you/shop.git", "http://h/you/shop.git/info/lfs"),
            ("https://h/you/shop.git", "https://h:8443/x"),
            ("git@h:you/shop.git", "http://h/you/shop.git/info/lfs"),
            ("git@h:you/shop.git", "https://h:8443/x"),
            ("git@h:you/shop.git", "https://h.evil.example/x"),
        ] {
            assert!(!is_beside(repository, server), "{repository} {server}");
        }
    }
}
