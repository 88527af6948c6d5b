//! Fetches the objects and files of one commit, with limits on their size. Git LFS pointers stay pointers here, and
//! submodules are separate repositories.

use std::path::Path;
use std::time::Duration;

use super::super::outcome::Failure;
use super::super::program;
use super::super::source::{self, MAX_BYTES, MAX_FILES};
use super::{Git, LOCAL, MAX_LISTING, failure, listing};
use crate::protocol::order::Reference;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

const FETCH: Duration = Duration::from_mins(15);
/// Git writes every file with the bytes that were measured. `.gitattributes` of the source could make files larger with
/// line ends, `$Id$` and encodings; these attributes take precedence. `!` unsets an encoding, which has no word for
/// "none".
const ATTRIBUTES: &str = "* -text -ident -filter !working-tree-encoding\n";

/// The rest of the limits of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Room {
    /// Files, links and the directories that contain them.
    pub(in super::super) files: u64,
    /// Bytes in files.
    pub(in super::super) bytes: u64,
    /// Bytes of Git's objects.
    pub(in super::super) objects: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { files: MAX_FILES, bytes: MAX_BYTES, objects: MAX_BYTES }
    }
}

/// Why a fetch brought nothing.
pub(super) enum Error {
    Refused,
    Missing,
    TooLarge,
    Remote(String),
    Program(program::Error),
}

impl Error {
    fn failure(self, url: &str, commit: &str) -> Failure {
        match self {
            Self::Remote(stderr) => failure::remote(Stage::Fetch, url, &stderr),
            Self::Program(error) => failure::program(Stage::Fetch, url, &error),
            Self::TooLarge => source::too_large(),
            Self::Refused | Self::Missing => {
                let message = format!(
                    "{url} no longer has commit {commit}, or does not serve it; check the commit, or deploy again if \
                     the branch was rewritten"
                );
                Failure::new(Stage::Fetch, FailureReason::RefNotFound, message)
            }
        }
    }
}

impl Git {
    /// Fetches exactly `commit`. If the server rejects commits, fetches its reference, which must still contain it.
    pub(in super::super) async fn fetch(&self, commit: &str, reference: &Reference) -> Result<(), Failure> {
        self.init_for(commit).await?;
        let exact = self.get(&["--depth=1"], &[commit.to_owned()]).await;
        match exact {
            Err(Error::Refused) => {}
            other => return other.map_err(|error| error.failure(&self.url, commit)),
        }
        let refs = match reference {
            Reference::Branch(name) => vec![format!("refs/heads/{name}")],
            Reference::Tag(name) => vec![format!("refs/tags/{name}")],
            Reference::Default => vec!["HEAD".to_owned()],
            Reference::Commit(_) => {
                vec!["+refs/heads/*:refs/heads/*".to_owned(), "+refs/tags/*:refs/tags/*".to_owned()]
            }
        };
        // A commit without a reference is somewhere below a tip; a branch or tag usually still points to it.
        let depths: &[&[&str]] = match reference {
            Reference::Commit(_) => &[&[]],
            _ => &[&["--depth=1"], &["--unshallow"]],
        };
        for depth in depths {
            self.get(depth, &refs).await.map_err(|error| error.failure(&self.url, commit))?;
            if self.has(commit).await? {
                return Ok(());
            }
        }
        Err(Error::Missing.failure(&self.url, commit))
    }

    async fn has(&self, commit: &str) -> Result<bool, Failure> {
        let mut command = self.git();
        command.args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        let output = program::output(&mut command, 0, LOCAL).await;
        Ok(output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?.success)
    }

    /// Runs one fetch, and ends it when more arrives than a source may have.
    pub(super) async fn get(&self, options: &[&str], refs: &[String]) -> Result<(), Error> {
        let mut command = self.git();
        command.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"]);
        command.args(options).arg("--").arg(&self.url).args(refs);
        let output = tokio::select! {
            output = program::output(&mut command, 0, FETCH) => output.map_err(Error::Program)?,
            () = self.outgrown() => return Err(Error::TooLarge),
        };
        match output.success {
            true => Ok(()),
            false if failure::refuses_commits(&output.stderr) => Err(Error::Refused),
            false if failure::lacks_commit(&output.stderr) => Err(Error::Missing),
            false => Err(Error::Remote(output.stderr)),
        }
    }

    /// Completes when the objects take more space than a source may have.
    async fn outgrown(&self) {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tick.tick().await;
            if listing::size(&self.objects) > self.room.objects {
                return;
            }
        }
    }

    /// Checks the size of a commit's files, then writes them below `tree`; returns the room that is left.
    pub(in super::super) async fn checkout(&self, commit: &str, tree: &Path) -> Result<Room, Failure> {
        let (files, bytes) = listing::measure(&self.listing(commit).await?);
        let Room { files: most_files, bytes: most_bytes, objects } = self.room;
        if files > most_files || bytes > most_bytes {
            return Err(Error::TooLarge.failure(&self.url, commit));
        }
        self.write(commit, tree).await?;
        let objects = objects.saturating_sub(listing::size(&self.objects));
        Ok(Room { files: most_files - files, bytes: most_bytes - bytes, objects })
    }

    /// Writes the files of a commit as they were committed, whatever their size.
    pub(super) async fn write(&self, commit: &str, tree: &Path) -> Result<(), Failure> {
        let info = self.objects.join("info");
        std::fs::create_dir_all(&info)
            .and_then(|()| std::fs::write(info.join("attributes"), ATTRIBUTES))
            .map_err(|error| Failure::workspace(Stage::Fetch, "git could not be configured", &error))?;
        let mut command = self.git();
        command.arg("--work-tree").arg(tree);
        command.args(["checkout", "--quiet", "--force", "--detach", commit, "--"]);
        let output = program::output(&mut command, 4096, self.patience).await;
        let output = output.map_err(|error| failure::of_size(&error))?;
        if output.success { Ok(()) } else { Err(failure::local(Stage::Fetch, &output.stderr)) }
    }

    /// Every file of a commit with its mode, object and size.
    pub(super) async fn listing(&self, commit: &str) -> Result<Vec<u8>, Failure> {
        let mut command = self.git();
        command.args(["ls-tree", "-r", "-l", "-z", "--full-tree", commit]);
        let output = program::output(&mut command, MAX_LISTING, self.patience).await;
        let output = output.map_err(|error| failure::of_size(&error))?;
        if output.cut {
            return Err(Error::TooLarge.failure(&self.url, commit));
        }
        Ok(output.stdout)
    }
}
