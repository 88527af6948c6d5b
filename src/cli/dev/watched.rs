//! A folder that is watched for changes of its files. Directories that are not part of the source are not watched: package
//! managers and builds write there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::cli::failure::Failure;
use crate::cli::folder::{Files, Packed};
use crate::cli::screen::Screen;

/// Programs write several files at once: changes count together until it has been quiet for this time, at most as long as
/// below.
const QUIET: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

/// Pause before the next look at files that could not be read.
const AGAIN: Duration = Duration::from_secs(1);

/// A watched folder.
pub(super) struct Watched {
    folder: String,
    /// Checksum of its files when they were last looked at.
    sum: String,
    directories: BTreeSet<PathBuf>,
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    /// Why the last look failed, and whether that was said.
    complaint: Option<(String, bool)>,
    /// There was an event, and the files were not looked at since.
    unseen: bool,
}

impl Watched {
    /// Begins to watch.
    pub(super) fn of(folder: &str) -> Result<Self, Failure> {
        // One event is enough to look.
        let (send, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_change(event.kind)) {
                let _ = send.try_send(());
            }
        });
        let watcher = watcher.map_err(|error| failed(folder, &error))?;
        let directories = BTreeSet::new();
        let mut begun = Self {
            folder: folder.to_owned(),
            sum: String::new(),
            directories,
            watcher,
            events,
            complaint: None,
            unseen: false,
        };
        begun.look()?;
        Ok(begun)
    }

    /// Looks at the files. Returns whether they are others than before. It packs what it finds after it watches, so that it misses
    /// no change in a directory that is new.
    fn look(&mut self) -> Result<bool, Failure> {
        let directories = Files::of(&self.folder)?.directories;
        for gone in self.directories.difference(&directories) {
            let _ = self.watcher.unwatch(gone); // Most often it is gone itself.
        }
        // All of them: one that was deleted and made again is another one to the kernel.
        for directory in &directories {
            let watching = self.watcher.watch(directory, RecursiveMode::NonRecursive);
            watching.map_err(|error| failed(&self.folder, &error))?;
        }
        self.directories = directories;
        let sum = Packed::of(&Files::of(&self.folder)?)?.sum;
        let is_new = sum != self.sum;
        self.sum = sum;
        Ok(is_new)
    }

    /// Returns when the files of the source are others than before. If it is dropped before, the next call goes on.
    pub(super) async fn changed(&mut self, screen: &Screen) -> Result<(), Failure> {
        loop {
            if !self.unseen && self.events.recv().await.is_none() {
                return Err(Failure::error(format!(
                    "{} is not watched any more. Repeat the command",
                    self.folder
                )));
            }
            self.unseen = true;
            let latest = Instant::now() + LONGEST;
            while let Ok(Some(())) = timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await
            {
            }
            self.unseen = false;
            match self.look() {
                Ok(true) => return Ok(()),
                Ok(false) => self.complaint = None,
                Err(failure) if Path::new(&self.folder).is_dir() => {
                    self.complain(failure.message, screen);
                    self.unseen = true;
                    tokio::time::sleep(AGAIN).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// In the middle of a change, a file may be gone. What is wrong twice in a row is said, once.
    fn complain(&mut self, message: String, screen: &Screen) {
        let said = self.complaint.take().filter(|(before, _)| *before == message).map(|(_, said)| said);
        if said == Some(false) {
            screen.warn(&message);
        }
        self.complaint = Some((message, said.is_some()));
    }
}

/// Whether this may be a change: looking at the files is none.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
}

fn failed(folder: &str, error: &notify::Error) -> Failure {
    Failure::error(format!(
        "cannot watch {folder}: {error}. If it has very many directories, raise fs.inotify.max_user_watches, or name those that the build does \
         not need in .doceignore"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_of_the_source_are_seen_also_in_new_directories_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("index.html", "first");
        write("node_modules/a/index.js", "");
        let mut watched = Watched::of(folder.path().to_str().unwrap()).unwrap();
        let (screen, soon) = (Screen::new(), Duration::from_secs(20));
        for (name, text) in
            [("index.html", "second"), ("pages/about.html", "new"), ("pages/about.html", "newer")]
        {
            write(name, text);
            tokio::time::timeout(soon, watched.changed(&screen)).await.expect(name).unwrap();
        }
        write("index.html", "while another future wins");
        assert!(tokio::time::timeout(QUIET / 2, watched.changed(&screen)).await.is_err());
        tokio::time::timeout(soon, watched.changed(&screen))
            .await
            .expect("a change that a dropped wait saw")
            .unwrap();
        // A directory that has no file yet, and one that is made again.
        std::fs::create_dir(folder.path().join("late")).unwrap();
        assert!(tokio::time::timeout(QUIET * 3, watched.changed(&screen)).await.is_err());
        write("late/a.html", "a");
        tokio::time::timeout(soon, watched.changed(&screen)).await.expect("a late file").unwrap();
        std::fs::remove_dir_all(folder.path().join("late")).unwrap();
        write("late/a.html", "b");
        tokio::time::timeout(soon, watched.changed(&screen)).await.expect("a directory made again").unwrap();
        write("late/a.html", "c");
        tokio::time::timeout(soon, watched.changed(&screen)).await.expect("a change in it").unwrap();
        let before = watched.sum.clone();
        write("node_modules/a/index.js", "changed");
        write("index.html", "second");
        write("index.html", "third");
        tokio::time::timeout(soon, watched.changed(&screen)).await.expect("the last change").unwrap();
        assert_ne!(watched.sum, before);
        assert!(
            watched.directories.iter().all(|directory| !directory.ends_with("a")),
            "{:?}",
            watched.directories
        );
    }
}
