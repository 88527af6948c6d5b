//! Tests of Git LFS files, with repositories behind Git's own server and a server with the batch API.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::source_tests::{backend, in_test_network};
use super::*;
use crate::builder::http::tests::serve;
use crate::protocol::order::Reference;

const LOGIN: &str = "Basic eC1hY2Nlc3MtdG9rZW46cGxhbnRlZC10MGtlbg==";
const TOKEN: (&str, &str) = ("token", "planted-t0ken");

/// A request for a large file or a batch of them.
#[derive(Debug)]
struct Asked {
    host: String,
    path: String,
    authorization: String,
    /// The header that only a server requires.
    key: String,
}

#[derive(Default)]
struct Told {
    objects: BTreeMap<String, Vec<u8>>,
    /// Replaces the usual answer for an object.
    answers: BTreeMap<String, Value>,
    /// Replaces the usual answer to every request.
    status: Option<StatusCode>,
    asked: Vec<Asked>,
}

struct Host {
    root: tempfile::TempDir,
    port: u16,
    told: Arc<Mutex<Told>>,
}

impl Host {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let (directory, state) = (root.path().to_owned(), told.clone());
        let answer = move |request: Request| {
            let (directory, state) = (directory.clone(), state.clone());
            async move {
                let path = request.uri().path().to_owned();
                if path.contains("/info/lfs") || path.contains("/objects-of-lfs/") {
                    large(&state, request).await
                } else {
                    backend(&directory, request).await
                }
            }
        };
        Self { port: serve(Router::new().fallback(answer)).await, root, told }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}.test:{}/{path}", self.port)
    }

    /// Puts content on the server; returns its pointer.
    fn pointer(&self, content: &str) -> String {
        let oid = hex::encode(Sha256::digest(content.as_bytes()));
        self.told().objects.insert(oid.clone(), content.into());
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len())
    }

    /// A repository of that name with these files; its commit.
    fn repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        let tree = self.root.path().join(name);
        std::fs::create_dir_all(&tree).unwrap();
        git(&tree, &["init", "--quiet", "--initial-branch=main"]);
        for (file, text) in files {
            std::fs::create_dir_all(tree.join(file).parent().unwrap()).unwrap();
            std::fs::write(tree.join(file), text).unwrap();
        }
        git(&tree, &["add", "--all"]);
        git(&tree, &["commit", "--quiet", "--message", name]);
        git(&tree, &["rev-parse", "HEAD"])
    }

    fn build(&self, work: &Path, name: &str, path: Option<&str>) -> Build {
        let source = Source::Git {
            url: self.url("git", &format!("{name}/.git")),
            reference: Reference::Branch("main".into()),
        };
        let mut build = in_test_network(work, source, &[TOKEN]);
        build.order.settings.path = path.map(str::to_owned);
        build
    }

    /// The failure to fetch the large files of that repository.
    async fn refusal(&self, name: &str) -> Failure {
        let work = tempfile::tempdir().unwrap();
        completed(&self.build(work.path(), name, None)).await.unwrap_err()
    }
}

/// The server of Git LFS.
async fn large(state: &Mutex<Told>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let [host, authorization, key] = [HOST, AUTHORIZATION, HeaderName::from_static("x-key")].map(|name| {
        let value = request.headers().get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    });
    state.lock().unwrap().asked.push(Asked { host: host.clone(), path: path.clone(), authorization, key });
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let told = state.lock().unwrap();
    if let Some((_, oid)) = path.split_once("/objects-of-lfs/") {
        let content = told.objects.get(oid).cloned();
        return content.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response);
    }
    if let Some(status) = told.status {
        return (status, "{\"message\":\"not today\"}").into_response();
    }
    let question: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(question["operation"], "download");
    let objects = question["objects"].as_array().unwrap().iter().map(|object| {
        let oid = object["oid"].as_str().unwrap();
        let href = format!("http://{host}/objects-of-lfs/{oid}");
        let mut answer = match told.answers.get(oid) {
            Some(answer) => answer.clone(),
            None if told.objects.contains_key(oid) => json!({ "actions": { "download": { "href": href } } }),
            None => json!({ "error": { "code": 404, "message": "Object does not exist" } }),
        };
        answer["oid"] = oid.into();
        answer["size"] = object["size"].clone();
        answer
    });
    json!({ "transfer": "basic", "objects": objects.collect::<Vec<_>>() }).to_string().into_response()
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).current_dir(directory);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs all stages before the build.
async fn completed(build: &Build) -> Result<(), Failure> {
    let (digest, origin) = build.resolve().await?;
    let inner = build.fetch(&origin, &digest).await?;
    let context = build.verify().await?;
    build.large_files(&origin, &inner, &context).await
}

fn read(work: &Path, file: &str) -> String {
    std::fs::read_to_string(work.join("tree").join(file)).unwrap()
}

/// Sets the answer of the server for the object of a pointer.
fn answer(host: &Host, pointer: &str, answer: Value) {
    let oid = pointer.split("sha256:").nth(1).unwrap()[..64].to_owned();
    host.told().answers.insert(oid, answer);
}

#[tokio::test]
async fn large_files_below_the_build_path_are_fetched_with_the_repository_login() {
    let host = Host::new().await;
    let (logo, tool) = (host.pointer("a picture"), host.pointer("#!/bin/sh\n"));
    let files =
        [("app/logo.png", &*logo), ("app/copy.png", &logo), ("app/tool", &tool), ("other.png", &logo)];
    host.repository("shop", &files);
    let tree = host.root.path().join("shop");
    std::fs::set_permissions(tree.join("app/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    git(&tree, &["commit", "--quiet", "--all", "--message", "Run it"]);
    let work = tempfile::tempdir().unwrap();
    let build = host.build(work.path(), "shop", Some("app"));
    completed(&build).await.unwrap();
    for picture in ["app/logo.png", "app/copy.png"] {
        assert_eq!(read(work.path(), picture), "a picture");
    }
    assert_eq!(read(work.path(), "app/tool"), "#!/bin/sh\n");
    let mode = std::fs::metadata(work.path().join("tree/app/tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "executable files stay executable");
    assert_eq!(read(work.path(), "other.png"), logo, "a file outside the build is not fetched");
    assert_eq!(std::fs::read_dir(work.path().join("large-files")).unwrap().count(), 0, "no copy is left");
    let told = host.told();
    assert_eq!(told.asked.len(), 3, "one question, and each object once: {:?}", told.asked);
    assert!(told.asked.iter().all(|asked| asked.authorization == LOGIN), "{:?}", told.asked);
    assert_eq!(told.asked[0].path, "/shop/.git/info/lfs/objects/batch");
    assert!(build.log.tail().contains("lfs      3 files, 1 KiB"), "{}", build.log.tail());
}

// Bad input 70: server of Git LFS that sends a login to another host
#[tokio::test]
async fn another_host_gets_the_headers_of_its_server_and_never_the_repository_login() {
    let host = Host::new().await;
    let (own, plain) = (host.pointer("own header"), host.pointer("no header"));
    let href = |pointer: &str| {
        host.url("store", &format!("objects-of-lfs/{}", &pointer.split("sha256:").nth(1).unwrap()[..64]))
    };
    answer(
        &host,
        &own,
        json!({ "actions": { "download": { "href": href(&own),
        "header": { "X-Key": "signed", "Host": "git.test" } } } }),
    );
    answer(&host, &plain, json!({ "actions": { "download": { "href": href(&plain) } } }));
    host.repository("shop", &[("own.png", &own), ("plain.png", &plain)]);
    let work = tempfile::tempdir().unwrap();
    completed(&host.build(work.path(), "shop", None)).await.unwrap();
    assert_eq!(
        (read(work.path(), "own.png").as_str(), read(work.path(), "plain.png").as_str()),
        ("own header", "no header")
    );
    let told = host.told();
    let stored: Vec<&Asked> = told.asked.iter().filter(|asked| asked.host.starts_with("store.")).collect();
    assert_eq!(stored.len(), 2, "{stored:?}");
    assert!(stored.iter().all(|asked| asked.authorization.is_empty()), "{stored:?}");
    assert_eq!(stored.iter().filter(|asked| asked.key == "signed").count(), 1, "{stored:?}");
}

// Bad input 69: server of Git LFS that leads to an address where no build goes
#[tokio::test]
async fn no_server_can_send_a_build_to_a_forbidden_address() {
    let host = Host::new().await;
    let logo = host.pointer("a picture");
    host.repository("shop", &[("logo.png", &logo)]);
    let redirect = host.url("git", "x/objects-of-lfs/none");
    for (href, word) in [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://metadata.test/x", "link-local"),
        ("http://[::1]/x", "loopback"),
        ("http://10.96.0.1/x", "private"),
        ("file:///etc/passwd", "another transport"),
        ("http://ada:planted-word@git.test/x", "with a password"),
    ] {
        answer(&host, &logo, json!({ "actions": { "download": { "href": href } } }));
        let failure = host.refusal("shop").await;
        assert_eq!(failure.reason, FailureReason::SourceForbidden, "{href}: {failure}");
        assert!(failure.message.contains(word) && !failure.message.contains("planted"), "{failure}");
    }
    answer(&host, &logo, json!({ "actions": { "download": { "href": redirect } } }));
    assert_eq!(
        host.refusal("shop").await.reason,
        FailureReason::LargeFileMissing,
        "the named URL answers 404"
    );
}

// Bad input 72: .lfsconfig that leads elsewhere
#[tokio::test]
async fn a_server_named_by_the_source_follows_the_same_rules_and_gets_no_login() {
    let host = Host::new().await;
    let logo = host.pointer("a picture");
    let config = |url: &str| format!("[lfs]\n\turl = {url}\n");
    let named = config(&host.url("lfs", "shop/info/lfs"));
    host.repository("shop", &[("logo.png", &logo), (".lfsconfig", &named)]);
    let work = tempfile::tempdir().unwrap();
    completed(&host.build(work.path(), "shop", None)).await.unwrap();
    assert_eq!(read(work.path(), "logo.png"), "a picture");
    assert!(host.told().asked.iter().all(|asked| asked.authorization.is_empty()), "{:?}", host.told().asked);
    host.told().asked.clear();
    for url in [
        "http://169.254.169.254/x",
        "http://10.96.0.1/x",
        "file:///etc",
        "http://ada:planted@h/x",
        "ssh://h/x",
    ] {
        host.repository("shop", &[(".lfsconfig", &config(url))]);
        let failure = host.refusal("shop").await;
        assert_eq!(failure.reason, FailureReason::SourceForbidden, "{url}: {failure}");
        assert!(!failure.message.contains("planted"), "{failure}");
    }
    assert_eq!(host.told().asked.len(), 0, "no request was sent");
}

// Bad input 72: server of Git LFS that sends other bytes
#[tokio::test]
async fn a_pointer_is_replaced_only_by_content_that_matches_it() {
    let host = Host::new().await;
    let logo = host.pointer("a picture");
    host.repository("shop", &[("public/logo.png", &logo)]);
    for (sent, reason) in [
        ("b picture", FailureReason::LargeFileMissing),
        ("a pict", FailureReason::LargeFileMissing),
        ("a picture, and more than its size", FailureReason::SourceTooLarge),
    ] {
        *host.told().objects.values_mut().next().unwrap() = sent.into();
        let failure = host.refusal("shop").await;
        assert_eq!(failure.reason, reason, "{sent}: {failure}");
    }
    // Bad input 71: pointer of Git LFS to more than a source may have
    let huge = logo.replace("size 9", &format!("size {}", u64::MAX));
    host.repository("shop", &[("public/logo.png", &huge), ("public/two.png", &huge)]);
    host.told().asked.clear();
    assert_eq!(host.refusal("shop").await.reason, FailureReason::SourceTooLarge);
    assert_eq!(host.told().asked.len(), 0, "the size is checked before any request");
}

#[tokio::test]
async fn a_missing_large_file_fails_the_build_and_is_named() {
    let host = Host::new().await;
    let logo = host.pointer("a picture");
    host.repository("shop", &[("public/logo.png", &logo)]);
    host.told().objects.clear();
    let failure = host.refusal("shop").await;
    assert_eq!((failure.stage, failure.reason), (Stage::Fetch, FailureReason::LargeFileMissing));
    for word in ["\"public/logo.png\"", "404 Object does not exist", "git lfs push --all"] {
        assert!(failure.message.contains(word), "{failure}");
    }
    for (status, reason) in [
        (StatusCode::NOT_FOUND, FailureReason::LargeFileMissing),
        (StatusCode::UNAUTHORIZED, FailureReason::SourceAuthFailed),
        (StatusCode::MOVED_PERMANENTLY, FailureReason::SourceForbidden),
        (StatusCode::SERVICE_UNAVAILABLE, FailureReason::SourceUnreachable),
    ] {
        host.told().status = Some(status);
        let failure = host.refusal("shop").await;
        assert_eq!(failure.reason, reason, "{status}: {failure}");
        assert!(failure.message.contains("/shop/.git/info/lfs"), "{failure}");
    }
}

#[tokio::test]
async fn large_files_of_a_submodule_come_from_its_own_server() {
    let host = Host::new().await;
    let (logo, inner) = (host.pointer("a picture"), host.pointer("of a submodule"));
    let lib = host.repository("lib", &[("img/x.png", &inner)]);
    let modules = "[submodule \"lib\"]\n\tpath = libs/one\n\turl = ../../lib/.git\n";
    host.repository("shop", &[("logo.png", &logo), (".gitmodules", modules)]);
    let tree = host.root.path().join("shop");
    git(&tree, &["update-index", "--add", "--cacheinfo", &format!("160000,{lib},libs/one")]);
    git(&tree, &["commit", "--quiet", "--message", "Add lib"]);
    let work = tempfile::tempdir().unwrap();
    let mut build = host.build(work.path(), "shop", None);
    build.order.settings.submodules = true;
    completed(&build).await.unwrap();
    assert_eq!(read(work.path(), "libs/one/img/x.png"), "of a submodule");
    let told = host.told();
    let asked: Vec<&str> =
        told.asked.iter().map(|asked| asked.path.as_str()).filter(|path| path.ends_with("batch")).collect();
    assert_eq!(asked, ["/lib/.git/info/lfs/objects/batch", "/shop/.git/info/lfs/objects/batch"]);
}

#[tokio::test]
async fn a_pointer_in_an_archive_is_rejected_with_the_fix() {
    let host = Host::new().await;
    let logo = host.pointer("a picture");
    let work = tempfile::tempdir().unwrap();
    let source = Source::ConfigMap { digest: "x".to_owned() };
    let build = in_test_network(work.path(), source, &[]);
    std::fs::write(work.path().join("tree/logo.png"), &logo).unwrap();
    let context = build.verify().await.unwrap();
    let failure = build.large_files(&origin::Origin::ConfigMap, &[], &context).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::LargeFileMissing));
    assert!(
        failure.message.contains("\"logo.png\"") && failure.message.contains("git lfs pull"),
        "{failure}"
    );
}
