//! Tests of builds up to their source: good sources become files, bad ones fail at the right stage, and text planted in
//! a Secret appears nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::tests::{build, failure, git};
use super::*;
use crate::builder::http::tests::serve;
use crate::protocol::order::Reference;
use crate::protocol::report::Failed;

const TOKEN: &str = "planted-t0ken";

pub(super) fn archive(url: &str, digest: Option<&str>) -> Source {
    Source::Archive { url: url.to_owned(), digest: digest.map(str::to_owned) }
}

/// A tar.gz of these files.
pub(super) fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn sum(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Resolves and fetches without a registry; returns the digest and the files of the source.
pub(super) async fn fetched(build: &Build) -> Result<(String, BTreeMap<String, String>), Failure> {
    let (digest, origin) = build.resolve().await?;
    build.fetch(&origin, &digest).await?;
    let context = build.verify().await?;
    let entries = std::fs::read_dir(context).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file()).map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read_to_string(entry.path()).unwrap())
    });
    Ok((digest, files.collect()))
}

pub(super) fn in_test_network(directory: &Path, source: Source, values: &[(&str, &str)]) -> Build {
    let mut build = build(directory, source, 1800);
    build.http = Http::for_tests();
    if !values.is_empty() {
        build.credentials = Credentials::of(values);
        build.log = Log::hiding(Instant::now(), &build.credentials.secrets());
    }
    build
}

#[tokio::test]
async fn every_bad_source_fails_before_the_fetch() {
    let long = format!("https://git.example/{}", "x".repeat(3000));
    let cases: Vec<(&str, Source)> = vec![
        ("65 ext:: transport", git("ext::sh -c touch% /tmp/x")),
        ("65 fd:: transport", git("fd::17/foo")),
        ("66 option as URL", git("--upload-pack=touch /tmp/x")),
        ("66 option as host of ssh", git("ssh://-oProxyCommand=touch/x")),
        ("66 option as user of ssh", git("-oProxyCommand=touch@git.example:x")),
        ("66 option as path of ssh", git("git@git.example:--upload-pack=x")),
        ("68 file URL", git("file:///etc")),
        ("68 path on disk", git("/etc")),
        ("68 git:// transport", git("git://git.example/x")),
        ("69 metadata address", git("http://169.254.169.254/latest/meta-data")),
        ("69 localhost", git("http://localhost/x")),
        ("69 loopback in IPv6", git("http://[::1]/x")),
        ("69 loopback in hex", git("http://0x7f000001/x")),
        ("69 short loopback", git("http://127.1/x")),
        ("69 loopback as one number", git("http://2130706433/x")),
        ("69 loopback in octal", git("http://0177.0.0.1/x")),
        ("69 mapped loopback", git("http://[::ffff:127.0.0.1]/x")),
        ("69 NAT64 of the metadata address", git("http://[64:ff9b::a9fe:a9fe]/x")),
        ("69 NAT64 of a network's own of the metadata address", git("http://[64:ff9b:1::a9fe:a9fe]/x")),
        ("69 metadata address of Alibaba Cloud", git("http://100.100.100.200/latest/meta-data")),
        ("69 metadata address of Google Cloud in IPv6", git("http://[fd20:ce::254]/computeMetadata/v1")),
        ("69 WireServer of Azure", git("http://168.63.129.16/machine")),
        ("69 loopback over ssh", git("git@127.0.0.1:x")),
        ("69 unspecified address", git("http://0.0.0.0/x")),
        ("69 archive at the metadata address", archive("http://169.254.169.254/user-data", None)),
        ("69 artifact on localhost", Source::Oci { reference: "localhost:5000/shop:1".into() }),
        ("69 image on localhost", Source::Image { reference: "localhost:5000/shop:1".into() }),
        ("70 password in the URL of a repository", git("https://lovelace:planted-t0ken@git.example/x")),
        ("70 token as user of a repository", git("https://planted-t0ken@git.example/x")),
        ("70 password in a URL of ssh", git("ssh://lovelace:planted-t0ken@git.example/x")),
        (
            "70 password in the URL of an archive",
            archive("https://lovelace:planted-t0ken@git.example/x.tar.gz", None),
        ),
        (
            "70 signature in the URL of an archive",
            archive("https://git.example/x.tar.gz?sig=planted-t0ken", None),
        ),
        ("70 host that only looks like a path", git("https://good.example\\@127.0.0.1/x")),
        ("70 URL with a line break", git("https://git.example/a\nb")),
        ("70 URL of 3,000 characters", git(&long)),
        ("70 URL that is written backwards", git("https://git.example/\u{202e}x")),
    ];
    for (case, source) in cases {
        let failed = failure(source).await;
        assert_eq!((failed.stage, failed.reason.as_str()), (Stage::Resolve, "SourceForbidden"), "{case}");
        assert!(!failed.is_verdict(), "{case}: the content of an address may change");
        let said = serde_json::to_string(&failed).unwrap();
        assert!(!said.contains("planted") && !said.contains("lovelace"), "{case}: {said}");
    }
}

#[tokio::test]
async fn an_archive_is_built_only_if_its_checksum_matches() {
    let bytes = packed(&[("shop-1/index.html", "hello"), ("shop-1/a/b", "")]);
    let (served, wanted) = (bytes.clone(), sum(&bytes));
    let port = serve(Router::new().fallback(move || async move { served })).await;
    let url = format!("http://git.test:{port}/shop-1.tar.gz");
    let dir = tempfile::tempdir().unwrap();
    let files = BTreeMap::from([("index.html".to_owned(), "hello".to_owned())]);
    for digest in [None, Some(wanted.as_str())] {
        let build = in_test_network(dir.path(), archive(&url, digest), &[]);
        assert_eq!(fetched(&build).await, Ok((wanted.clone(), files.clone())), "{digest:?}");
        assert!(build.log.tail().contains(&format!("its checksum is {wanted}")), "{}", build.log.tail());
    }
    let other = sum(b"other");
    let build = in_test_network(dir.path(), archive(&url, Some(&other)), &[]);
    let failure = fetched(&build).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Fetch, FailureReason::SourceChanged));
    assert!(failure.message.contains(&wanted) && failure.message.contains(&other), "{}", failure.message);
}

#[tokio::test]
async fn a_failed_archive_download_is_a_fault() {
    let answer = |request: Request| async move {
        let code: u16 = request.uri().path().trim_start_matches('/').parse().unwrap();
        StatusCode::from_u16(code).unwrap()
    };
    let port = serve(Router::new().fallback(answer)).await;
    let dir = tempfile::tempdir().unwrap();
    for (code, reason) in [
        (401, FailureReason::SourceAuthFailed),
        (403, FailureReason::SourceAuthFailed),
        (404, FailureReason::SourceNotFound),
        (410, FailureReason::SourceNotFound),
        (500, FailureReason::SourceUnreachable),
        (204, FailureReason::SourceUnreachable),
    ] {
        let source = archive(&format!("http://git.test:{port}/{code}"), None);
        let failure = fetched(&in_test_network(dir.path(), source, &[])).await.unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Resolve, reason), "{code}: {}", failure.message);
    }
}

/// Git's own server behind a token. It repeats a missing or wrong token in its answer, as real servers do.
async fn private_git(root: &Path) -> u16 {
    let root = root.to_owned();
    let answer = move |request: Request| {
        let root = root.clone();
        async move { cgi(&root, request).await }
    };
    serve(Router::new().fallback(answer)).await
}

async fn cgi(root: &Path, request: Request) -> Response {
    let headers = request.headers().clone();
    let header =
        |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let wanted = Credentials::of(&[("token", TOKEN)]).basic().unwrap().unwrap();
    let said = header(AUTHORIZATION.as_str());
    if said.is_empty() {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"git\"")]).into_response();
    }
    if said != wanted {
        return (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/plain")], format!("you said {said}"))
            .into_response();
    }
    backend(root, request).await
}

/// Git's own server.
pub(super) async fn backend(root: &Path, request: Request) -> Response {
    let headers = request.headers().clone();
    let header =
        |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let mut command = tokio::process::Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", request.method().as_str()).env("PATH_INFO", request.uri().path());
    command.env("QUERY_STRING", request.uri().query().unwrap_or_default());
    command.env("CONTENT_TYPE", header("content-type")).env("GIT_PROTOCOL", header("git-protocol"));
    command.env("HTTP_CONTENT_ENCODING", header("content-encoding"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    child.stdin.take().unwrap().write_all(&body).await.unwrap();
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

pub(super) fn run(directory: &Path, arguments: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
    assert!(command.current_dir(directory).args(arguments).status().unwrap().success(), "{arguments:?}");
}

#[tokio::test]
async fn a_private_repository_is_readable_only_with_its_token() {
    let root = tempfile::tempdir().unwrap();
    let tree = root.path().join("shop");
    std::fs::create_dir(&tree).unwrap();
    run(&tree, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(tree.join("index.html"), "private").unwrap();
    run(&tree, &["add", "--all"]);
    run(&tree, &["commit", "--quiet", "--message", &format!("Rotate {TOKEN}")]);
    let port = private_git(root.path()).await;
    let source = || Source::Git {
        url: format!("http://git.test:{port}/shop/.git"),
        reference: Reference::Branch("main".into()),
    };
    let work = tempfile::tempdir().unwrap();
    let open = in_test_network(work.path(), source(), &[("token", TOKEN)]);
    let (_, files) = fetched(&open).await.unwrap();
    assert_eq!(files["index.html"], "private");
    for values in [&[][..], &[("token", "planted-wr0ng")], &[("username", "ada"), ("password", TOKEN)]] {
        let closed = in_test_network(work.path(), source(), values);
        let Report::Failed(failed) = closed.report(Instant::now()).await else { panic!("it opened") };
        assert_eq!(failed.reason, "SourceAuthFailed", "{}", failed.message);
        nothing_planted(&closed, &failed);
    }
}

/// Everything that a build with this Secret shows.
fn nothing_planted(build: &Build, failed: &Failed) {
    let log = build.log.lines().join("\n");
    let report = outcome::encode(Report::Failed(failed.clone()));
    let order = serde_json::to_string(&build.order).unwrap();
    for shown in [log, report, order] {
        for secret in build.credentials.secrets().iter().map(String::as_str).chain(["planted"]) {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}

// Bad input 70: server that reads the credentials back
#[tokio::test]
async fn a_secret_never_leaks_even_if_the_server_echoes_it() {
    let echo = |request: Request| async move {
        let said = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes().to_vec());
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        let word = said.split(' ').next_back().unwrap_or_default().to_owned();
        let next = format!("http://{word}:x@git.test/{word}");
        (StatusCode::FOUND, [("location", next), ("content-type", "text/plain".into())], said)
    };
    let port = serve(Router::new().fallback(echo)).await;
    let sources = [
        git(&format!("http://git.test:{port}/x")),
        archive(&format!("http://git.test:{port}/x.tar.gz"), None),
        Source::Oci { reference: format!("git.test:{port}/shop/source:1") },
        git("ssh://git@git.test:1/x"),
    ];
    let odd = "planted p@\"ss'w\\o$(r)d`;\u{e4}";
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nplantedplantedplanted\n-----END OPENSSH PRIVATE KEY-----";
    for source in sources {
        for values in [
            &[("token", TOKEN), ("identity", key), ("known_hosts", "git.test ssh-ed25519 AAAA")][..],
            &[("username", "ada"), ("password", odd), ("identity", key)],
            &[("token", "planted-one\nplanted-two")],
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut build = in_test_network(dir.path(), source.clone(), values);
            build.order.repository = format!("git.test:{port}/ns/shop");
            let Report::Failed(failed) = build.report(Instant::now()).await else { panic!("it built") };
            assert!(failed.reason.starts_with("Source"), "{}: {}", failed.reason, failed.message);
            nothing_planted(&build, &failed);
        }
    }
}

// Bad input 106: commit message that holds the token
#[tokio::test]
async fn a_secret_in_a_commit_message_is_hidden_in_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let build = in_test_network(dir.path(), git("http://nowhere.test:1/x"), &[("token", TOKEN)]);
    let subject = Some(format!("Rotate {TOKEN} now"));
    build.change(|progress| {
        progress.commit = Commit { subject, author: Some(TOKEN.to_owned()), committed_at: None }
    });
    let Report::Failed(failed) = build.report(Instant::now()).await else { panic!("it built") };
    assert_eq!((failed.subject.as_deref(), failed.author.as_deref()), (Some("Rotate *** now"), Some("***")));
}
