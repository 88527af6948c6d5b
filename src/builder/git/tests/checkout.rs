//! Tests of checkouts: the files that Git writes, and the limits.

use super::*;
use crate::builder::outcome;
use crate::protocol::report::{EXIT_VERDICT, Failed, Report};

impl Origin {
    /// A commit of the files in the index, on the branch main.
    fn commit_index(&self) -> String {
        let tree = self.run(&["write-tree"]);
        let commit = self.run(&["commit-tree", &tree, "-m", "Trees"]);
        self.run(&["update-ref", "refs/heads/main", &commit]);
        commit
    }
}

/// Fetches the commit and writes its files to `tree`.
async fn checked_out(git: &Git, commit: &str, tree: &Path) -> Result<Room, Failure> {
    git.fetch(commit, &branch("main")).await.unwrap();
    std::fs::create_dir(tree).unwrap();
    git.checkout(commit, tree).await
}

// Bad input 71: commit of few files in more than 100,000 directories
#[tokio::test]
async fn trees_that_stand_at_many_places_are_refused_before_they_are_written() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let first = origin.commit("a", "1");
    let file = origin.run(&["rev-parse", &format!("{first}:a")]);
    let deep = format!("100644,{file},{}a", "d/".repeat(300));
    origin.run(&["read-tree", "--empty"]);
    origin.run(&["update-index", "--add", "--cacheinfo", &deep]);
    for _ in 0..9 {
        let tree = origin.run(&["write-tree"]);
        origin.run(&["read-tree", "--empty"]);
        origin.run(&["read-tree", "--prefix=0/", &tree]);
        origin.run(&["read-tree", "--prefix=1/", &tree]);
    }
    let commit = origin.commit_index();
    let (git, tree) = (origin.git(work.path()).await, work.path().join("tree"));
    let failure = checked_out(&git, &commit, &tree).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::SourceTooLarge));
    assert_eq!(std::fs::read_dir(&tree).unwrap().count(), 0);
}

// Bad input 71: commit whose .gitattributes would have Git write more bytes than were committed
#[tokio::test]
async fn files_come_out_with_the_bytes_that_were_committed() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n", "a".repeat(64));
    let files = [
        ("id", "$Id$\n"),
        ("wide", "1\n2\n"),
        ("lines", "1\n2\n"),
        ("old-lines", "1\n2\n"),
        ("mixed", "1\r\n2\n"),
        ("sub/id", "$Id$\n"),
        ("large", pointer.as_str()),
    ];
    std::fs::create_dir(origin.dir.path().join("sub")).unwrap();
    for (name, content) in files {
        origin.commit(name, content);
    }
    let attributes = "[attr]all ident eol=crlf\n* ident\nwide text working-tree-encoding=UTF-32\nlines text eol=crlf\n\
                      old-lines crlf\nmixed text eol=crlf\nsub/* all\nlarge filter=lfs diff=lfs merge=lfs -text\n";
    // Added alone: files already in the index are not read again through these attributes.
    std::fs::write(origin.dir.path().join(".gitattributes"), attributes).unwrap();
    std::fs::write(origin.dir.path().join("sub/.gitattributes"), "id ident text eol=crlf\n").unwrap();
    origin.run(&["add", ".gitattributes", "sub/.gitattributes"]);
    let commit = origin.commit_index();
    let (git, tree) = (origin.git(work.path()).await, work.path().join("tree"));
    checked_out(&git, &commit, &tree).await.unwrap();
    for (name, content) in files.into_iter().chain([(".gitattributes", attributes)]) {
        let written = std::fs::read(tree.join(name)).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), content, "{name}");
    }
}

// Bad input 71: commit message whose first line has 100,000 characters
#[tokio::test]
async fn a_first_line_of_any_length_is_cut_and_ends_no_build() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    origin.commit("a", "1");
    origin.run(&["commit", "--quiet", "--amend", "--message", &"x".repeat(100_000)]);
    let commit = origin.run(&["rev-parse", "HEAD"]);
    let git = origin.git(work.path()).await;
    git.fetch(&commit, &branch("main")).await.unwrap();
    let said = git.describe(&commit).await.unwrap();
    assert_eq!(said.subject, Some("x".repeat(200)));
    assert_eq!(said.author.as_deref(), Some("Ada <ada@example.com>"));
    assert!(git.describe(&"1".repeat(40)).await.is_err(), "that is no commit");
}

#[tokio::test]
async fn directories_take_room_from_what_is_left_for_submodules() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(origin.dir.path().join("x/y")).unwrap();
    let commit = origin.commit("x/y/a", "12");
    let (git, tree) = (origin.git(work.path()).await, work.path().join("tree"));
    let left = checked_out(&git, &commit, &tree).await.unwrap();
    let Room { files, bytes, .. } = Room::default();
    assert_eq!((left.files, left.bytes), (files - 3, bytes - 2));
}

// Bad input 71: commit that Git does not get through in its time
#[tokio::test]
async fn a_source_that_git_does_not_get_through_is_a_verdict() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let commit = origin.commit("a", "1");
    let git = Git { patience: Duration::from_millis(50), ..origin.git(work.path()).await };
    git.fetch(&commit, &branch("main")).await.unwrap();
    // Git opens this file before it looks for an object, and waits for a writer.
    let alternates = git.objects.join("objects/info/alternates");
    assert!(Std::new("mkfifo").arg(&alternates).status().unwrap().success());
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let listed = git.checkout(&commit, &tree).await.unwrap_err();
    let written = git.write(&commit, &tree).await.unwrap_err();
    for Failure { stage, reason, message } in [listed, written] {
        assert_eq!((stage, reason), (Stage::Verify, FailureReason::SourceTooLarge), "{message}");
        let (reason, log) = (reason.to_string(), String::new());
        let (key, source, subject, author, committed_at, log_reference) =
            (None, None, None, None, None, None);
        let failed =
            Failed { stage, reason, message, log, key, source, subject, author, committed_at, log_reference };
        assert_eq!(outcome::exit_code(&Report::Failed(failed)), EXIT_VERDICT);
    }
}
