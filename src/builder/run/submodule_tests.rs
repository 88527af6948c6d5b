use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};

use super::source_tests::{backend, fetched, in_test_network};
use super::*;
use crate::builder::http::tests::serve;
use crate::protocol::order::Reference;

/// Repositories behind one server, which answers under every name that ends in `.test`.
struct Hosts {
    root: tempfile::TempDir,
    port: u16,
    /// Host, path and authorization of every request.
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Hosts {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(vec![]));
        let (directory, requests) = (root.path().to_owned(), asked.clone());
        let answer = move |request: Request| {
            let (directory, requests) = (directory.clone(), requests.clone());
            let [host, authorization] = [HOST, AUTHORIZATION].map(|name| {
                let value = request.headers().get(name);
                String::from_utf8_lossy(value.map_or(b"", |value| value.as_bytes())).into_owned()
            });
            requests.lock().unwrap().push((host, request.uri().path().to_owned(), authorization));
            async move { backend(&directory, request).await }
        };
        Self { port: serve(Router::new().fallback(answer)).await, root, asked }
    }

    fn url(&self, host: &str, name: &str) -> String {
        format!("http://{host}.test:{}/{name}/.git", self.port)
    }

    /// A repository with one commit: these files, and submodules as path, URL and commit. Its commit.
    fn repository(&self, name: &str, files: &[(&str, &str)], links: &[(&str, &str, &str)]) -> String {
        let tree = self.root.path().join(name);
        std::fs::create_dir_all(&tree).unwrap();
        git(&tree, &["init", "--quiet", "--initial-branch=main"]);
        let mut modules = String::new();
        for (number, (path, url, commit)) in links.iter().enumerate() {
            write!(modules, "[submodule \"{number}\"]\n\tpath = {path}\n\turl = {url}\n").unwrap();
            git(&tree, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        }
        if !links.is_empty() {
            std::fs::write(tree.join(".gitmodules"), modules).unwrap();
        }
        for (file, text) in files {
            std::fs::write(tree.join(file), text).unwrap();
        }
        // Not `--all`, which would record the submodules as deleted.
        git(&tree, &["add", "."]);
        for (path, _, commit) in links {
            git(&tree, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        }
        git(&tree, &["commit", "--quiet", "--allow-empty", "--message", name]);
        git(&tree, &["rev-parse", "HEAD"])
    }

    /// A build of that repository's branch, with its submodules.
    fn build(&self, work: &Path, name: &str, values: &[(&str, &str)]) -> Build {
        let source = Source::Git { url: self.url("git", name), reference: Reference::Branch("main".into()) };
        let mut build = in_test_network(work, source, values);
        build.order.settings.submodules = true;
        build
    }

    async fn refusal(&self, name: &str) -> Failure {
        let work = tempfile::tempdir().unwrap();
        fetched(&self.build(work.path(), name, &[])).await.unwrap_err()
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).current_dir(directory);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn read(work: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(PathBuf::from(work).join("tree").join(path)).ok()
}

#[tokio::test]
async fn submodules_are_fetched_at_their_commits_only_if_enabled() {
    let hosts = Hosts::new().await;
    let inner = hosts.repository("inner", &[("c", "inner")], &[]);
    let lib = hosts.repository("lib", &[("b", "lib")], &[("deep/inner", "../../inner/.git", &inner)]);
    hosts.repository("shop", &[("a", "shop")], &[("libs/one", "../../lib/.git", &lib)]);
    hosts.repository("lib", &[("b", "newer")], &[]);
    let work = tempfile::tempdir().unwrap();
    let mut build = hosts.build(work.path(), "shop", &[]);
    let (digest, _) = fetched(&build).await.unwrap();
    assert_eq!(read(work.path(), "a").as_deref(), Some("shop"));
    assert_eq!(read(work.path(), "libs/one/b").as_deref(), Some("lib"), "the commit that shop names");
    assert_eq!(read(work.path(), "libs/one/deep/inner/c").as_deref(), Some("inner"));
    assert_eq!(digest, git(&hosts.root.path().join("shop"), &["rev-parse", "HEAD"]));
    let with = build_key(&digest, &build.order.settings);
    build.order.settings.submodules = false;
    assert_ne!(with, build_key(&digest, &build.order.settings), "the files differ, so the key does");

    let work = tempfile::tempdir().unwrap();
    let mut build = hosts.build(work.path(), "shop", &[]);
    build.order.settings.submodules = false;
    fetched(&build).await.unwrap();
    assert_eq!(read(work.path(), "libs/one/b"), None);
}

// Bad input 72: submodule that would be handed the token of the repository
#[tokio::test]
async fn credentials_go_only_to_the_host_of_the_repository() {
    let hosts = Hosts::new().await;
    let lib = hosts.repository("lib", &[("b", "lib")], &[]);
    let elsewhere = hosts.url("other", "lib");
    let links = [("here", "../../lib/.git", lib.as_str()), ("there", elsewhere.as_str(), lib.as_str())];
    hosts.repository("shop", &[], &links);
    let work = tempfile::tempdir().unwrap();
    fetched(&hosts.build(work.path(), "shop", &[("token", "planted-t0ken")])).await.unwrap();
    assert!(read(work.path(), "here/b").is_some() && read(work.path(), "there/b").is_some());
    let asked = hosts.asked.lock().unwrap();
    for (host, _, authorization) in asked.iter() {
        assert_eq!(authorization.is_empty(), host.starts_with("other."), "{host}: {authorization}");
    }
    assert!(asked.iter().any(|(host, ..)| host.starts_with("other.")));
}

// Bad input 72: submodule elsewhere that names a repository of the first host
#[tokio::test]
async fn a_submodule_named_by_a_foreign_repository_is_fetched_without_credentials() {
    let hosts = Hosts::new().await;
    let private = hosts.repository("private", &[("b", "private")], &[]);
    let open = hosts.repository("open", &[("c", "open")], &[]);
    let back = hosts.url("git", "private");
    let links = [("back", back.as_str(), private.as_str())];
    let stranger = hosts.repository("stranger", &[], &links);
    let own = hosts.repository("own", &[], &[("beside", "../../open/.git", &open)]);
    let elsewhere = hosts.url("other", "stranger");
    hosts.repository("shop", &[], &[("there", &elsewhere, &stranger), ("here", "../../own/.git", &own)]);
    let work = tempfile::tempdir().unwrap();
    fetched(&hosts.build(work.path(), "shop", &[("token", "planted-t0ken")])).await.unwrap();
    assert!(read(work.path(), "there/back/b").is_some() && read(work.path(), "here/beside/c").is_some());
    let asked = hosts.asked.lock().unwrap();
    for (host, path, authorization) in asked.iter() {
        let trusted = ["/shop/", "/own/", "/open/"].iter().any(|name| path.starts_with(name));
        assert_eq!(!authorization.is_empty(), trusted, "{host}{path}: {authorization}");
    }
    let came_back = |(host, path, _): &(String, String, String)| {
        host.starts_with("git.") && path.starts_with("/private/")
    };
    assert!(asked.iter().any(came_back));
}

#[tokio::test]
async fn hostile_submodules_are_rejected_by_name_before_any_request() {
    let hosts = Hosts::new().await;
    let commit = "1".repeat(40);
    for (number, (url, reason, words)) in [
        // Bad input 72: submodule with an ext:: URL
        ("ext::sh -c touch% /tmp/x", FailureReason::SourceForbidden, "must start with"),
        // Bad input 72: submodule on disk
        ("file:///etc", FailureReason::SourceForbidden, "must start with"),
        ("/etc", FailureReason::SourceForbidden, "must start with"),
        // Bad input 72: submodule whose URL is an option
        ("--upload-pack=touch /tmp/x", FailureReason::SourceForbidden, "must start with"),
        // Bad input 72: submodule at the metadata address
        ("http://169.254.169.254/latest", FailureReason::SourceForbidden, "link-local"),
        ("http://metadata.test/x", FailureReason::SourceForbidden, "link-local"),
        // Bad input 72: submodule at an address of the cluster, of a public repository
        ("http://10.96.0.1/x", FailureReason::SourceForbidden, "private"),
        ("https://ada:planted-w0rd@h.test/x", FailureReason::SourceForbidden, "user name or a password"),
        ("../../../../x", FailureReason::SourceForbidden, "leads above"),
        // Bad input 72: submodule over ssh on another host
        ("git@other.test:x", FailureReason::SourceAuthFailed, "Write an https:// URL"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("shop-{number}");
        hosts.repository(&name, &[], &[("libs/x", url, &commit)]);
        let failure = hosts.refusal(&name).await;
        assert_eq!((failure.stage, failure.reason), (Stage::Fetch, reason), "{url}: {failure}");
        for word in [words, "submodule \"libs/x\"", "spec.source.git.submodules"] {
            assert!(failure.message.contains(word), "{url}: {failure}");
        }
        assert!(!failure.message.contains("planted"), "{failure}");
    }
}

#[tokio::test]
async fn a_missing_submodule_is_named_with_its_url() {
    let hosts = Hosts::new().await;
    let lib = hosts.repository("lib", &[("b", "lib")], &[]);
    hosts.repository("shop", &[], &[("libs/x", "../../nowhere/.git", &lib)]);
    let failure = hosts.refusal("shop").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Fetch, FailureReason::SourceNotFound), "{failure}");
    let (path, url) = ("submodule \"libs/x\"", hosts.url("git", "nowhere"));
    assert!(failure.message.contains(path) && failure.message.contains(&url), "{failure}");
    let server = async || axum::http::StatusCode::UNAUTHORIZED;
    let private = format!("http://other.test:{}/x", serve(Router::new().fallback(server)).await);
    hosts.repository("private", &[], &[("libs/x", &private, &lib)]);
    let failure = hosts.refusal("private").await;
    assert_eq!(failure.reason, FailureReason::SourceAuthFailed, "{failure}");
    assert!(failure.message.contains("move it to that host"), "{failure}");
    let keys = hosts.repository("keys", &[], &[("y", "git@git.test:you/private", &lib)]);
    hosts.repository("deep", &[], &[("libs/x", &hosts.url("other", "keys"), &keys)]);
    let failure = hosts.refusal("deep").await;
    assert_eq!(failure.reason, FailureReason::SourceAuthFailed, "{failure}");
    assert!(
        failure.message.contains("\"libs/x/y\"") && failure.message.contains("itself names"),
        "{failure}"
    );
    hosts.repository("gone", &[], &[("libs/x", "../../lib/.git", &"1".repeat(40))]);
    assert_eq!(hosts.refusal("gone").await.reason, FailureReason::RefNotFound);
}

#[tokio::test]
async fn too_many_or_too_deep_submodules_are_rejected() {
    let hosts = Hosts::new().await;
    let leaf = hosts.repository("leaf", &[("b", "")], &[]);
    // Bad input 72: 51 submodules
    let paths: Vec<String> = (0..51).map(|number| format!("x/{number}")).collect();
    let links: Vec<_> = paths.iter().map(|path| (path.as_str(), "../../leaf/.git", leaf.as_str())).collect();
    hosts.repository("wide", &[], &links);
    let failure = hosts.refusal("wide").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::SourceTooLarge), "{failure}");
    // Bad input 72: submodules four levels deep
    let mut commit = leaf;
    for (name, below) in [("three", "leaf"), ("two", "three"), ("one", "two"), ("deep", "one")] {
        commit = hosts.repository(name, &[], &[("x", &format!("../../{below}/.git"), &commit)]);
    }
    let failure = hosts.refusal("deep").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::SourceTooLarge), "{failure}");
    assert!(failure.message.contains("\"x/x/x/x\""), "{failure}");
}

// Bad input 72: submodules that are too large together
#[tokio::test]
async fn the_source_limits_apply_to_all_repositories_together() {
    let hosts = Hosts::new().await;
    let lib = hosts.repository("lib", &[("b", "12345678")], &[]);
    hosts.repository("shop", &[("a", "")], &[("x", "../../lib/.git", &lib), ("y", "../../lib/.git", &lib)]);
    for (bytes, fits) in [(16, true), (15, false)] {
        let work = tempfile::tempdir().unwrap();
        let build = hosts.build(work.path(), "shop", &[]);
        let (digest, origin) = build.resolve().await.unwrap();
        let super::origin::Origin::Git { git, addresses } = origin else { panic!("another source") };
        git.fetch(&digest, &Reference::Branch("main".into())).await.unwrap();
        let room = git.checkout(&digest, &build.workspace.tree).await.unwrap();
        let room = crate::builder::git::Room { bytes, ..room };
        let done = build.fetch_submodules(&git, &addresses, &digest, room).await;
        assert_eq!(
            done.map_err(|failure| failure.reason).err(),
            (!fits).then_some(FailureReason::SourceTooLarge)
        );
    }
}

#[tokio::test]
async fn a_submodule_without_a_url_is_an_error_of_the_source() {
    let hosts = Hosts::new().await;
    hosts.repository("shop", &[], &[("libs/x", "../x", &"1".repeat(40))]);
    std::fs::write(hosts.root.path().join("shop/.gitmodules"), "[submodule \"x\"]\n\tpath = libs/y\n")
        .unwrap();
    git(&hosts.root.path().join("shop"), &["commit", "--quiet", "--message", "y", "--", ".gitmodules"]);
    let failure = hosts.refusal("shop").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::SourceNotFound), "{failure}");
    assert!(failure.message.contains("\"libs/x\" has no url in .gitmodules"), "{failure}");
    std::fs::write(hosts.root.path().join("shop/.gitmodules"), "[submodule \"x\n").unwrap();
    git(&hosts.root.path().join("shop"), &["commit", "--quiet", "--message", "z", "--", ".gitmodules"]);
    let failure = hosts.refusal("shop").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::UnsafeSource), "{failure}");
}
