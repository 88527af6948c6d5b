use std::process::Command as Std;

use super::super::source::MAX_BYTES;
use super::*;

/// A repository on disk, read through Git's own transport.
struct Origin {
    dir: tempfile::TempDir,
}

impl Origin {
    fn new() -> Self {
        let origin = Self { dir: tempfile::tempdir().unwrap() };
        origin.run(&["init", "--quiet", "--initial-branch=main"]);
        origin
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Std::new("git")
            .current_dir(self.dir.path())
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, name: &str, content: &str) -> String {
        std::fs::write(self.dir.path().join(name), content).unwrap();
        self.run(&["add", "--all"]);
        self.run(&["commit", "--quiet", "--message", &format!("Change {name}\n\nBody.")]);
        self.run(&["rev-parse", "HEAD"])
    }

    async fn git(&self, work: &Path) -> Git {
        let url = format!("file://{}", self.dir.path().display());
        let git = Git { url, objects: work.join("objects.git"), transports: &["file"], pin: None, ca: None };
        git.init(Stage::Resolve).await.unwrap();
        git
    }
}

fn branch(name: &str) -> Reference {
    Reference::Branch(name.to_owned())
}

#[tokio::test]
async fn branches_tags_and_commits_are_resolved() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let first = origin.commit("a", "1");
    origin.run(&["tag", "light"]);
    origin.run(&["tag", "--annotate", "heavy", "--message", "x"]);
    // A branch whose name ends like the wanted one, and one that looks like a commit.
    origin.run(&["branch", "refs/heads/main"]);
    origin.run(&["update-ref", &format!("refs/heads/{}", "1".repeat(40)), &first]);
    let second = origin.commit("a", "2");
    let git = origin.git(work.path()).await;
    assert_eq!(git.resolve(&branch("main")).await.unwrap(), second);
    assert_eq!(git.resolve(&branch(&"1".repeat(40))).await.unwrap(), first);
    assert_eq!(git.resolve(&Reference::Tag("light".into())).await.unwrap(), first);
    assert_eq!(git.resolve(&Reference::Tag("heavy".into())).await.unwrap(), first);
    assert_eq!(git.resolve(&Reference::Commit(first.clone())).await.unwrap(), first);

    assert_eq!(git.resolve(&Reference::Default).await.unwrap(), second);

    let missing = git.resolve(&branch("mian")).await.unwrap_err();
    assert_eq!((missing.stage, missing.reason), (Stage::Resolve, Reason::RefNotFound));
    assert!(missing.message.contains("has no branch \"mian\"; there is main"), "{}", missing.message);
    for bad in ["-h", "--upload-pack=touch x", "refs/heads/../x", "*"] {
        assert_eq!(git.resolve(&branch(bad)).await.unwrap_err().reason, Reason::RefNotFound, "{bad}");
    }
}

#[tokio::test]
async fn an_empty_repository_has_no_default_branch() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let git = origin.git(work.path()).await;
    let failure = git.resolve(&Reference::Default).await.unwrap_err();
    assert!(failure.message.contains("default branch"), "{}", failure.message);
    assert!(failure.message.contains("no branch at all"), "{}", failure.message);
    assert!(git.resolve(&branch("main")).await.unwrap_err().message.contains("no branch at all"));
}

#[tokio::test]
async fn exactly_the_commit_is_fetched_though_the_branch_moved() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let first = origin.commit("a", "1");
    let git = origin.git(work.path()).await;
    assert_eq!(git.resolve(&branch("main")).await.unwrap(), first);
    origin.commit("a", "2");
    origin.run(&["commit", "--quiet", "--amend", "--message", "force"]);
    git.fetch(&first, &branch("main")).await.unwrap();
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    git.checkout(&first, &tree).await.unwrap();
    assert_eq!(std::fs::read_to_string(tree.join("a")).unwrap(), "1");
    assert!(!tree.join(".git").exists());
    let commit = git.describe(&first).await.unwrap();
    assert_eq!(commit.subject.as_deref(), Some("Change a"));
    assert_eq!(commit.author.as_deref(), Some("Ada <ada@example.com>"));
}

#[tokio::test]
async fn servers_that_refuse_commits_are_asked_for_the_reference() {
    for reference in [branch("main"), Reference::Default, Reference::Commit(String::new())] {
        let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
        let first = origin.commit("a", "1");
        origin.commit("a", "2");
        origin.run(&["config", "uploadpack.allowAnySHA1InWant", "false"]);
        let git = origin.git(work.path()).await;
        // Version 0 of the protocol hands out tips only.
        std::fs::write(git.objects.join("config"), "[protocol]\n\tversion = 0\n[core]\n\tbare = true\n")
            .unwrap();
        assert!(matches!(
            git.get(&["--depth=1"], std::slice::from_ref(&first)).await,
            Err(fetch::Error::Refused)
        ));
        git.fetch(&first, &reference).await.unwrap();
        let gone = git.fetch(&"1".repeat(40), &reference).await.unwrap_err();
        assert_eq!((gone.stage, gone.reason), (Stage::Fetch, Reason::RefNotFound), "{}", gone.message);
    }
}

#[tokio::test]
async fn hooks_templates_and_filters_of_a_repository_do_not_run() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(origin.dir.path().join("hooks")).unwrap();
    std::fs::write(origin.dir.path().join("hooks/post-checkout"), "#!/bin/sh\ntouch ran\n").unwrap();
    std::fs::write(origin.dir.path().join(".gitattributes"), "* filter=lfs\n").unwrap();
    std::fs::write(origin.dir.path().join(".gitmodules"), "[submodule \"x\"]\npath = ../x\nurl = ext::sh\n")
        .unwrap();
    let commit = origin.commit("a", "pointer");
    let git = origin.git(work.path()).await;
    git.fetch(&commit, &branch("main")).await.unwrap();
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    git.checkout(&commit, &tree).await.unwrap();
    assert_eq!(std::fs::read_to_string(tree.join("a")).unwrap(), "pointer");
    assert!(!tree.join("ran").exists() && !work.path().join("x").exists());
    assert!(!git.objects.join("hooks").exists());
}

#[tokio::test]
async fn large_commits_are_refused_before_they_are_written() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let zeros = std::fs::File::create(origin.dir.path().join("zeros")).unwrap();
    zeros.set_len(MAX_BYTES + 1).unwrap();
    let commit = origin.commit("a", "1");
    let git = origin.git(work.path()).await;
    git.fetch(&commit, &branch("main")).await.unwrap();
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let failure = git.checkout(&commit, &tree).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, Reason::SourceTooLarge));
    assert_eq!(std::fs::read_dir(&tree).unwrap().count(), 0);
}

#[tokio::test]
async fn other_transports_are_off() {
    let work = tempfile::tempdir().unwrap();
    let host = Host { name: "x".into(), port: 80 };
    for url in ["file:///etc", "ext::sh -c true", "/etc", "ssh://nowhere/x", "git://nowhere/x"] {
        let git = Git::new(url, work.path(), &host, &[], None);
        git.init(Stage::Resolve).await.unwrap();
        let failure = git.resolve(&branch("main")).await.unwrap_err();
        assert!(failure.message.contains("not allowed"), "{url}: {}", failure.message);
    }
}
