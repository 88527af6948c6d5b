//! Tests which commits of a real repository are the same source if the workspace declares what a project needs.

use std::path::Path;

use axum::Router;
use axum::extract::Request;

use super::source_tests::{backend, fetched, in_test_network, run};
use super::*;
use crate::builder::http::tests::serve;
use crate::protocol::order::{Reference, Watch};
use crate::version::{identity, revision};

/// A repository of several projects, and its own server.
struct Repository {
    root: tempfile::TempDir,
    port: u16,
}

impl Repository {
    async fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_owned();
        let answer = move |request: Request| {
            let path = path.clone();
            async move { backend(&path, request).await }
        };
        let port = serve(Router::new().fallback(answer)).await;
        let repository = Self { root, port };
        std::fs::create_dir(repository.tree()).unwrap();
        run(&repository.tree(), &["init", "--quiet", "--initial-branch=main"]);
        for (path, text) in files {
            repository.write(path, text);
        }
        repository
    }

    fn tree(&self) -> std::path::PathBuf {
        self.root.path().join("shop")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits the current files; returns the build of the commit.
    fn build(&self, work: &Path, path: Option<&str>) -> Build {
        run(&self.tree(), &["add", "--all"]);
        run(&self.tree(), &["commit", "--quiet", "--allow-empty", "--message", "Change"]);
        let source = Source::Git {
            url: format!("http://git.test:{}/shop/.git", self.port),
            reference: Reference::Branch("main".into()),
        };
        let mut build = in_test_network(work, source, &[]);
        build.order.settings.watch = Some(Watch::Workspace);
        build.order.settings.path = path.map(str::to_owned);
        build
    }

    /// Writes a file, commits, and resolves.
    async fn look(&self, path: &str, text: &str) -> String {
        self.write(path, text);
        let work = tempfile::tempdir().unwrap();
        self.build(work.path(), Some("apps/shop")).resolve().await.unwrap().0
    }
}

const WORKSPACE: [(&str, &str); 5] = [
    ("package.json", r#"{"workspaces":["apps/*","packages/*"]}"#),
    ("apps/shop/package.json", r#"{"name":"shop","dependencies":{"ui":"*"}}"#),
    ("apps/admin/package.json", r#"{"name":"admin","dependencies":{"mail":"*"}}"#),
    ("packages/ui/package.json", r#"{"name":"ui"}"#),
    ("packages/mail/package.json", r#"{"name":"mail"}"#),
];

#[tokio::test]
async fn a_commit_is_the_same_source_unless_it_changes_a_path_the_workspace_needs() {
    let repository = Repository::new(&WORKSPACE).await;
    let first = repository.look("README.md", "1").await;
    assert!(identity(&first).starts_with("tree:") && revision(&first).len() == 40, "{first}");
    for file in ["README.md", "apps/admin/index.js", "packages/mail/index.js", "docs/a.js", "apps/shop2/a"] {
        let other = repository.look(file, "2").await;
        assert_eq!(identity(&other), identity(&first), "{file}");
        assert_ne!(revision(&other), revision(&first), "{file}");
    }
    let mut seen = vec![first];
    for file in ["apps/shop/index.js", "packages/ui/index.js", "package-lock.json", "tsconfig.base.json"] {
        let changed = repository.look(file, "{}").await;
        assert!(seen.iter().all(|before| identity(before) != identity(&changed)), "{file}");
        seen.push(changed);
    }
    // From now on the shop sends mail.
    let before = repository.look("packages/mail/index.js", "3").await;
    let needs = r#"{"name":"shop","dependencies":{"ui":"*","mail":"*"}}"#;
    let needed = repository.look("apps/shop/package.json", needs).await;
    let changed = repository.look("packages/mail/index.js", "4").await;
    let of = [&before, &needed, &changed].map(|digest| identity(digest).to_owned());
    assert!(of[0] != of[1] && of[1] != of[2], "{of:?}");
}

#[tokio::test]
async fn the_resolved_commit_is_built_and_the_log_lists_the_watched_paths() {
    let repository = Repository::new(&WORKSPACE).await;
    repository.write("apps/shop/index.js", "hello");
    let work = tempfile::tempdir().unwrap();
    let build = repository.build(work.path(), Some("apps/shop"));
    let (_, files) = fetched(&build).await.unwrap();
    assert_eq!(files["index.js"], "hello");
    let log = build.log.tail();
    assert!(log.contains("watched: apps/shop, package.json, packages/ui, and the files"), "{log}");
}

#[tokio::test]
async fn the_whole_repository_is_watched_if_the_needed_paths_are_unknown() {
    let repository = Repository::new(&WORKSPACE).await;
    repository.write("apps/shop/package.json", "{");
    let first = repository.look("docs/a.md", "1").await;
    let second = repository.look("docs/a.md", "2").await;
    assert_ne!(identity(&first), identity(&second));
    let again = repository.look("docs/a.md", "1").await;
    assert_eq!(identity(&first), identity(&again), "the same files are the same source");
    for (path, because) in
        [(None, "root of the repository"), (Some("apps/shop"), "package.json cannot be read")]
    {
        let work = tempfile::tempdir().unwrap();
        let build = repository.build(work.path(), path);
        build.resolve().await.unwrap();
        let log = build.log.tail();
        assert!(log.contains("watched: the whole repository, because ") && log.contains(because), "{log}");
    }
    let work = tempfile::tempdir().unwrap();
    let failure = repository.build(work.path(), Some("apps/nowhere")).resolve().await.map(drop).unwrap_err();
    assert_eq!(failure.reason, FailureReason::PathNotFound, "{}", failure.message);
}
