//! Fetches submodules if the source asks for them, each like its repository. One gets the credentials of the repository
//! only if it and every submodule above it are on the repository's host. It reads nothing of what it fetches.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Build;
use super::large_files::Inner;
use crate::builder::address::{self, Transport};
use crate::builder::git::{Git, Room, modules};
use crate::builder::outcome::Failure;
use crate::protocol::order::Reference;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Most submodules of a source, including those of submodules.
const MOST: usize = 50;
/// Deepest nesting of submodules.
const DEEPEST: usize = 3;

/// A submodule that is still to be fetched.
struct Wanted {
    /// Its path from the root of the source.
    path: String,
    commit: String,
    url: String,
    /// URL of the repository that declares it.
    parent: String,
    /// Whether that repository was fetched with the credentials of the source, and so may name others that are.
    trusted: bool,
    depth: usize,
}

impl Wanted {
    /// The failure, with the submodule's name in front.
    fn explain(&self, failure: &Failure) -> Failure {
        let Self { path, url, .. } = self;
        let url = modules::shown(url);
        let message = format!("submodule {path:?}, {url} (spec.source.git.submodules): {}", failure.message);
        Failure::new(failure.stage, failure.reason, message)
    }

    fn refused(&self, stage: Stage, reason: FailureReason, why: &str) -> Failure {
        self.explain(&Failure::new(stage, reason, why))
    }
}

impl Build {
    /// Fetches the submodules of `commit` into `tree`; `room` is the rest of the limits after the repository itself.
    pub(super) async fn fetch_submodules(
        &self,
        repository: &Git,
        addresses: &[IpAddr],
        commit: &str,
        mut room: Room,
    ) -> Result<Vec<Inner>, Failure> {
        let mut fetched = Vec::new();
        let mut open = wanted(repository, commit, "", true, 1).await?;
        let mut count = 0;
        while let Some(next) = open.pop() {
            if count + open.len() >= MOST || next.depth > DEEPEST {
                let why = format!(
                    "a source may have at most {MOST} submodules, nested at most {DEEPEST} levels deep"
                );
                return Err(next.refused(Stage::Verify, FailureReason::SourceTooLarge, &why));
            }
            count += 1;
            let made = self.fetch_submodule(repository, addresses, &next, count, &mut room).await;
            let (inner, wanted) = made.map_err(|failure| next.explain(&failure))?;
            fetched.push(inner);
            open.extend(wanted);
        }
        Ok(fetched)
    }

    /// Fetches one submodule; returns it, and its own submodules.
    async fn fetch_submodule(
        &self,
        repository: &Git,
        addresses: &[IpAddr],
        next: &Wanted,
        number: usize,
        room: &mut Room,
    ) -> Result<(Inner, Vec<Wanted>), Failure> {
        let failed = |error| Failure::workspace(Stage::Fetch, "a submodule could not be written", &error);
        let url = modules::join(&next.parent, &next.url).map_err(|why| {
            Failure::new(Stage::Fetch, FailureReason::SourceForbidden, format!("its URL {why}"))
        })?;
        let work = self.workspace.directory.join("submodules").join(number.to_string());
        // Otherwise the author of a repository elsewhere could have any repository of this host fetched with the user's
        // token into a tree that the author's own build steps read.
        let trusted = next.trusted && modules::same_place(repository.url(), &url);
        let git = self.repository_of(repository, addresses, &url, trusted, &work).await?.within(*room);
        let short = next.commit.get(..7).unwrap_or_default();
        self.log.line(&format!("submodule {:?}: {url} @ {short}", next.path));
        std::fs::create_dir_all(&work).map_err(failed)?;
        git.init(Stage::Fetch).await?;
        let fetched = git.fetch(&next.commit, &Reference::Commit(next.commit.clone())).await;
        fetched.map_err(|failure| unopened(repository.url(), &url, trusted, failure))?;
        let place = place(&self.workspace.tree, &next.path)?;
        *room = git.checkout(&next.commit, &place).await?;
        let inner = wanted(&git, &next.commit, &format!("{}/", next.path), trusted, next.depth + 1).await;
        std::fs::remove_dir_all(&work).map_err(failed)?;
        Ok((Inner { path: next.path.clone(), git, trusted }, inner?))
    }

    /// The repository at `url` after its address is checked, with the credentials of the source if it is `trusted`.
    async fn repository_of(
        &self,
        repository: &Git,
        addresses: &[IpAddr],
        url: &str,
        trusted: bool,
        work: &Path,
    ) -> Result<Git, Failure> {
        let (host, transport) = address::repository(url).map_err(|refusal| refusal.at(Stage::Fetch))?;
        if trusted {
            return Ok(repository.beside(url, work));
        }
        if transport == Transport::Ssh {
            let why = format!(
                "ssh needs a key, and the build uses that of spec.source.git.secretRef only for submodules that {} itself \
                 names on its own host. Write an https:// URL into .gitmodules, or one relative to the repository",
                repository.url()
            );
            return Err(Failure::new(Stage::Fetch, FailureReason::SourceAuthFailed, why));
        }
        let found = self.http.check_beside(&host, transport, addresses, Stage::Fetch).await?;
        let proxy = self.http.proxy(&host, transport);
        Ok(repository.elsewhere(url, work, &host, &found).through(proxy))
    }
}

async fn wanted(
    git: &Git,
    commit: &str,
    prefix: &str,
    trusted: bool,
    depth: usize,
) -> Result<Vec<Wanted>, Failure> {
    let found = git.submodules(commit).await?.into_iter().map(|found| Wanted {
        path: format!("{prefix}{}", found.path),
        commit: found.commit,
        url: found.url,
        parent: git.url().to_owned(),
        trusted,
        depth,
    });
    Ok(found.collect())
}

/// The failure of a submodule that requires credentials and may not use those of the repository.
fn unopened(repository: &str, url: &str, trusted: bool, failure: Failure) -> Failure {
    if failure.reason != FailureReason::SourceAuthFailed || trusted {
        return failure;
    }
    let message = if modules::same_place(repository, url) {
        format!(
            "{url} requires credentials, and the build does not use those of spec.source.git.secretRef for submodules of a \
             repository on another host. Make the submodule public, or add it to {repository} itself"
        )
    } else {
        format!(
            "{url} requires credentials, and the build uses those of spec.source.git.secretRef only on the host of \
             {repository}. Make the submodule public, or move it to that host"
        )
    };
    Failure { message, ..failure }
}

/// The directory of a submodule below `tree`: empty, and reached only through directories.
fn place(tree: &Path, path: &str) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::workspace(Stage::Fetch, "a submodule could not be written", &error);
    let taken = || {
        let why = "its path leads through a link or a file of the source";
        Failure::new(Stage::Verify, FailureReason::UnsafeSource, why)
    };
    let mut place = tree.to_owned();
    for part in path.split('/') {
        place.push(part);
        match place.symlink_metadata() {
            Ok(data) if data.is_dir() => {}
            Ok(_) => return Err(taken()),
            Err(_) => std::fs::create_dir(&place).map_err(failed)?,
        }
    }
    let empty = std::fs::read_dir(&place).map_err(failed)?.next().is_none();
    if empty { Ok(place) } else { Err(taken()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bad input 72: submodule below a link of the source
    #[test]
    fn submodules_are_never_written_through_links_or_over_files() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        std::fs::create_dir_all(dir.path().join("full/x")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        for path in ["link", "link/x", "file", "file/x", "full"] {
            assert_eq!(place(dir.path(), path).unwrap_err().reason, FailureReason::UnsafeSource, "{path}");
        }
        assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
        for path in ["new/deep", "full/x"] {
            assert_eq!(place(dir.path(), path).unwrap(), dir.path().join(path));
        }
    }
}
