use std::process::Command as Std;

use super::super::address::Transport;
use super::super::credentials::Credentials;
use super::super::source::MAX_BYTES;
use super::*;

mod checkout;

/// A repository on disk, read through Git's own transport.
struct Origin {
    dir: tempfile::TempDir,
}

impl Origin {
    fn new() -> Self {
        Self::of("sha1")
    }

    fn of(format: &str) -> Self {
        let origin = Self { dir: tempfile::tempdir().unwrap() };
        let format = format!("--object-format={format}");
        origin.run(&["init", "--quiet", "--initial-branch=main", &format]);
        origin
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Std::new("git")
            .env("GIT_CONFIG_NOSYSTEM", "1")
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
        let (objects, access, room) = (work.join("objects.git"), Access::Public, Room::default());
        let transports = &["file"];
        let git =
            Git { url, objects, transports, pin: None, proxy: None, ca: None, access, room, patience: LOCAL };
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
    // Bad input 67: branch whose name is 40 hex digits
    // One branch name ends like the wanted one, and one looks like a commit.
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
    assert_eq!((missing.stage, missing.reason), (Stage::Resolve, FailureReason::RefNotFound));
    assert!(missing.message.contains("has no branch \"mian\"; it has main"), "{}", missing.message);
    // Bad input 67: branch named like an option
    // Bad input 67: branch with .. in its name
    // Bad input 67: branch that is a pattern
    for bad in ["-h", "--upload-pack=touch x", "refs/heads/../x", "*"] {
        assert_eq!(git.resolve(&branch(bad)).await.unwrap_err().reason, FailureReason::RefNotFound, "{bad}");
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

// Bad input 75: branch rewritten between look and fetch
#[tokio::test]
async fn the_exact_commit_is_fetched_even_if_the_branch_moved() {
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
async fn a_commit_has_the_date_of_its_committer_and_none_if_that_is_no_date() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    origin.commit("a", "1");
    origin.run(&["commit", "--quiet", "--amend", "--no-edit", "--date=2001-02-03T04:05:06Z"]);
    let amended = origin.run(&["rev-parse", "HEAD"]);
    let committed = origin.run(&["show", "--no-patch", "--format=%ct", &amended]);
    // Git itself writes no such commit, but it transfers one.
    let text = origin.run(&["cat-file", "commit", &amended]).replace(&committed, "99999999999999");
    std::fs::write(origin.dir.path().join("absurd"), text + "\n").unwrap();
    let absurd = origin.run(&["hash-object", "-t", "commit", "-w", "--literally", "absurd"]);
    origin.run(&["branch", "absurd", &absurd]);
    let git = origin.git(work.path()).await;
    for (commit, name, seconds) in [(amended, "main", committed.parse().ok()), (absurd, "absurd", None)] {
        git.fetch(&commit, &branch(name)).await.unwrap();
        let described = git.describe(&commit).await.unwrap();
        assert_eq!(described.committed_at.map(Timestamp::as_second), seconds);
        assert_eq!(described.subject.as_deref(), Some("Change a"));
    }
}

#[tokio::test]
async fn the_reference_is_fetched_if_the_server_does_not_serve_commits() {
    for reference in [branch("main"), Reference::Default, Reference::Commit(String::new())] {
        let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
        let first = origin.commit("a", "1");
        origin.commit("a", "2");
        origin.run(&["config", "uploadpack.allowAnySHA1InWant", "false"]);
        let git = origin.git(work.path()).await;
        // Version 0 of the protocol serves only tips.
        std::fs::write(git.objects.join("config"), "[protocol]\n\tversion = 0\n[core]\n\tbare = true\n")
            .unwrap();
        assert!(matches!(
            git.get(&["--depth=1"], std::slice::from_ref(&first)).await,
            Err(fetch::Error::Refused)
        ));
        git.fetch(&first, &reference).await.unwrap();
        let gone = git.fetch(&"1".repeat(40), &reference).await.unwrap_err();
        assert_eq!((gone.stage, gone.reason), (Stage::Fetch, FailureReason::RefNotFound), "{}", gone.message);
    }
}

#[tokio::test]
async fn a_sha256_repository_is_resolved_and_fetched() {
    let origin = Origin::of("sha256");
    let first = origin.commit("a", "1");
    origin.run(&["tag", "--annotate", "v1", "--message", "x"]);
    let second = origin.commit("a", "2");
    assert_eq!(first.len(), 64);
    for (reference, commit, content) in [
        (branch("main"), &second, "2"),
        (Reference::Tag("v1".into()), &first, "1"),
        (Reference::Default, &second, "2"),
        (Reference::Commit(first.clone()), &first, "1"),
    ] {
        let work = tempfile::tempdir().unwrap();
        let git = origin.git(work.path()).await;
        assert_eq!(git.resolve(&reference).await.as_ref(), Ok(commit));
        git.fetch(commit, &reference).await.unwrap();
        let tree = work.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        git.checkout(commit, &tree).await.unwrap();
        assert_eq!(std::fs::read_to_string(tree.join("a")).unwrap(), content);
        assert_eq!(git.describe(commit).await.unwrap().subject.as_deref(), Some("Change a"));
        assert_eq!(git.submodules(commit).await.unwrap(), vec![]);
    }
}

#[tokio::test]
async fn a_commit_outside_the_watched_paths_is_the_same_source() {
    let origin = Origin::new();
    for directory in ["apps/shop", "apps/admin", "packages/ui"] {
        std::fs::create_dir_all(origin.dir.path().join(directory)).unwrap();
    }
    let watched = async |file: &str, content: &str| {
        let commit = origin.commit(file, content);
        let work = tempfile::tempdir().unwrap();
        let git = origin.git(work.path()).await;
        git.fetch(&commit, &branch("main")).await.unwrap();
        git.watched(&commit, Some("apps/shop"), &["packages/ui".to_owned()].into()).await
    };
    assert_eq!(watched("apps/shop/index.js", "1").await.unwrap_err().reason, FailureReason::PathNotFound);
    let first = watched("packages/ui/button.js", "1").await.unwrap();
    for (file, content) in [("apps/admin/index.js", "1"), ("README.md", "1"), ("apps/admin/index.js", "2")] {
        assert_eq!(watched(file, content).await.unwrap(), first, "{file}");
    }
    let mut seen = vec![first.clone()];
    for file in ["apps/shop/index.js", "packages/ui/button.js", "package-lock.json"] {
        let changed = watched(file, "changed").await.unwrap();
        assert!(!seen.contains(&changed), "{file}");
        seen.push(changed);
    }
    for (file, content) in [("apps/shop/index.js", "1"), ("packages/ui/button.js", "1")] {
        watched(file, content).await.unwrap();
    }
    origin.run(&["rm", "--quiet", "package-lock.json"]);
    assert_eq!(
        watched("README.md", "2").await.unwrap(),
        first,
        "the same files are the same version as before"
    );
}

#[tokio::test]
async fn a_watched_path_may_be_inside_another_one() {
    let origin = Origin::new();
    std::fs::create_dir_all(origin.dir.path().join("apps/shop")).unwrap();
    let commit = origin.commit("apps/shop/index.js", "1");
    let work = tempfile::tempdir().unwrap();
    let git = origin.git(work.path()).await;
    git.fetch(&commit, &branch("main")).await.unwrap();
    let both = git.watched(&commit, Some("apps/shop"), &["apps".to_owned()].into()).await;
    assert_eq!(both, git.watched(&commit, None, &["apps".to_owned()].into()).await);
    assert!(both.unwrap().starts_with("tree:"));
}

// Bad input 72: submodule with a path outside and an ext:: URL
// Bad input 72: repository with hooks and filters
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

// Bad input 71: commit of more than 512 MiB
#[tokio::test]
async fn large_commits_are_rejected_before_checkout() {
    let (origin, work) = (Origin::new(), tempfile::tempdir().unwrap());
    let zeros = std::fs::File::create(origin.dir.path().join("zeros")).unwrap();
    zeros.set_len(MAX_BYTES + 1).unwrap();
    let commit = origin.commit("a", "1");
    let git = origin.git(work.path()).await;
    git.fetch(&commit, &branch("main")).await.unwrap();
    let tree = work.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let failure = git.checkout(&commit, &tree).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::SourceTooLarge));
    assert_eq!(std::fs::read_dir(&tree).unwrap().count(), 0);
}

#[tokio::test]
async fn other_transports_are_disabled() {
    let work = tempfile::tempdir().unwrap();
    let host = Host { name: "x".into(), port: 80 };
    for url in ["file:///etc", "ext::sh -c true", "/etc", "ssh://nowhere/x", "git://nowhere/x"] {
        let git = Git::new(url, work.path(), &host, &[], None, Access::Public);
        git.init(Stage::Resolve).await.unwrap();
        let failure = git.resolve(&branch("main")).await.unwrap_err();
        assert!(failure.message.contains("not allowed"), "{url}: {}", failure.message);
    }
}

#[tokio::test]
async fn credentials_are_passed_by_environment_and_files_never_by_arguments() {
    let work = tempfile::tempdir().unwrap();
    let host = Host { name: "git.example".into(), port: 2222 };
    let addresses = ["10.1.2.3".parse().unwrap()];
    let planted = Credentials::of(&[
        ("token", "planted-t0ken"),
        ("identity", "planted-key"),
        ("known_hosts", "[git.example]:2222 ssh-ed25519 AAAA"),
    ]);
    let secrets = planted.secrets();
    for (url, transport) in
        [("https://git.example/x", Transport::Https), ("ssh://git@git.example:2222/x", Transport::Ssh)]
    {
        let access = Access::of(&planted, transport, &host, &addresses, work.path()).unwrap();
        let git = Git::new(url, work.path(), &host, &addresses, None, access);
        let command = git.git();
        let arguments: Vec<_> =
            command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        for secret in &secrets {
            assert!(!arguments.iter().any(|word| word.contains(secret)), "{arguments:?}");
        }
        // The only text that a shell reads is the path of a file.
        let shell = command.as_std().get_envs().find(|(name, _)| *name == "GIT_SSH_COMMAND");
        let expected = format!("ssh -F '{}'", work.path().join("ssh/config").display());
        assert_eq!(shell.is_some(), transport == Transport::Ssh);
        assert!(shell.is_none_or(|(_, text)| text.unwrap().to_str() == Some(&expected)));
    }
}

#[test]
fn ssh_trusts_only_the_given_hosts_and_connects_to_the_checked_address() {
    use std::os::unix::fs::PermissionsExt as _;

    let work = tempfile::tempdir().unwrap();
    let host = Host { name: "git.example".into(), port: 2222 };
    let planted =
        Credentials::of(&[("identity", "key"), ("known_hosts", "[git.example]:2222 ssh-ed25519 AAAA")]);
    Access::of(&planted, Transport::Ssh, &host, &["10.1.2.3".parse().unwrap()], work.path()).unwrap();
    let config = work.path().join("ssh/config");
    let output = Std::new("ssh").arg("-F").arg(&config).args(["-G", "git@git.example"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let identity = work.path().join("ssh/identity");
    let known = format!("userknownhostsfile {}", work.path().join("ssh/known_hosts").display());
    for line in [
        "hostname 10.1.2.3",
        "hostkeyalias [git.example]:2222",
        "stricthostkeychecking true",
        "globalknownhostsfile /dev/null",
        "batchmode yes",
        "identitiesonly yes",
        "forwardagent no",
        &format!("identityfile {}", identity.display()),
        &known,
    ] {
        assert!(said.lines().any(|there| there == line), "{line} is not in\n{said}");
    }
    assert_eq!(std::fs::metadata(&identity).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&identity).unwrap(), "key\n", "a key must end with a line break");
    for lacking in ["identity", "known_hosts"] {
        let other = if lacking == "identity" { "known_hosts" } else { "identity" };
        let failure = Access::of(&Credentials::of(&[(other, "x")]), Transport::Ssh, &host, &[], work.path());
        let failure = failure.map(|_| ()).unwrap_err();
        assert_eq!(failure.reason, FailureReason::SourceAuthFailed);
        assert!(failure.message.contains(&format!("has no {lacking}")), "{}", failure.message);
    }
}
