//! Sources and registries behind a proxy. The proxy is real and on loopback, and knows names that this machine does not.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::source_tests::{archive, backend, fetched, packed, run};
use super::tests::{build, git};
use super::*;
use crate::builder::http::tests::serve;

/// No resolver knows it (RFC 2606). The proxy takes it for loopback.
const OUTSIDE: &str = "outside.invalid";

/// A forward proxy, and what its clients requested.
struct Forward {
    port: u16,
    requested: Arc<Mutex<Vec<String>>>,
}

impl Forward {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requested = Arc::new(Mutex::new(vec![]));
        let list = Arc::clone(&requested);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, Arc::clone(&list)));
            }
        });
        Self { port, requested }
    }

    fn proxies(&self, direct: &str) -> Proxies {
        let url = format!("http://127.0.0.1:{}", self.port);
        Proxies::new(Some(&url), Some(&url), direct, []).unwrap()
    }

    fn requested(&self) -> Vec<String> {
        self.requested.lock().unwrap().clone()
    }

    /// A build that reaches the outside only through it.
    fn build(&self, directory: &Path, source: Source, direct: &str) -> Build {
        let mut build = build(directory, source, 1800);
        build.http = Http::for_tests().through(self.proxies(direct));
        build
    }
}

async fn forward(mut client: TcpStream, requested: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut head = vec![];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let (method, target) = line.split_once(' ').unwrap();
    let place = target.trim_start_matches("http://").split('/').next().unwrap();
    let port: u16 = place.rsplit_once(':').unwrap().1.parse().unwrap();
    requested.lock().unwrap().push(line.clone());
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    } else {
        server.write_all(&head).await?;
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

#[tokio::test]
async fn an_archive_is_downloaded_through_the_proxy_which_looks_its_host_up() {
    let bytes = packed(&[("index.html", "hello")]);
    let port = serve(Router::new().fallback(move || async move { bytes })).await;
    let (proxy, dir) = (Forward::start().await, tempfile::tempdir().unwrap());
    let url = format!("http://{OUTSIDE}:{port}/shop.tar.gz");
    let (_, files) = fetched(&proxy.build(dir.path(), archive(&url, None), "")).await.unwrap();
    assert_eq!(files["index.html"], "hello");
    assert_eq!(proxy.requested(), [format!("GET {url}")]);
    let direct = proxy.build(dir.path(), archive(&url, None), OUTSIDE);
    let failure = fetched(&direct).await.unwrap_err();
    assert!(failure.message.contains("cannot resolve outside.invalid"), "{failure}");
    assert_eq!(proxy.requested().len(), 1, "a host in noProxy is reached without the proxy");
}

#[tokio::test]
async fn git_fetches_through_the_proxy_which_looks_its_host_up() {
    let root = tempfile::tempdir().unwrap();
    let tree = root.path().join("shop");
    std::fs::create_dir(&tree).unwrap();
    run(&tree, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(tree.join("index.html"), "hello").unwrap();
    run(&tree, &["add", "--all"]);
    run(&tree, &["commit", "--quiet", "--message", "First"]);
    let directory = root.path().to_owned();
    let answer = move |request| {
        let directory = directory.clone();
        async move { backend(&directory, request).await }
    };
    let port = serve(Router::new().fallback(answer)).await;
    let (proxy, dir) = (Forward::start().await, tempfile::tempdir().unwrap());
    let url = format!("http://{OUTSIDE}:{port}/shop/.git");
    let (_, files) = fetched(&proxy.build(dir.path(), git(&url), "")).await.unwrap();
    assert_eq!(files["index.html"], "hello");
    let requested = proxy.requested();
    assert!(!requested.is_empty() && requested.iter().all(|line| line.contains(&url)), "{requested:?}");
    let failure = fetched(&proxy.build(dir.path(), git(&url), OUTSIDE)).await.unwrap_err();
    assert!(failure.message.contains("cannot resolve outside.invalid"), "{failure}");
    assert_eq!(proxy.requested(), requested);
}

#[tokio::test]
async fn https_goes_through_the_proxy_as_a_tunnel_with_tls_inside() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = tokio::spawn(async move { listener.accept().await.unwrap().0.read_u8().await.unwrap() });
    let (proxy, dir) = (Forward::start().await, tempfile::tempdir().unwrap());
    let url = format!("https://{OUTSIDE}:{port}/shop.tar.gz");
    let failure = fetched(&proxy.build(dir.path(), archive(&url, None), "")).await.unwrap_err();
    assert_eq!(first.await.unwrap(), 0x16, "the first byte of a TLS handshake");
    assert_eq!(proxy.requested(), [format!("CONNECT {OUTSIDE}:{port}")]);
    let said = format!("does not answer through the proxy http://127.0.0.1:{}", proxy.port);
    assert!(failure.message.contains(&said), "{failure}");
}

#[tokio::test]
async fn registries_are_reached_through_the_proxy() {
    let port = serve(Router::new().fallback(|| async { StatusCode::NOT_FOUND })).await;
    let (proxy, host) = (Forward::start().await, format!("{OUTSIDE}:{port}"));
    let proxies = proxy.proxies("");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry = Registry::new(vec![host.clone()], None, "", Keyring::default(), &proxies).unwrap();
    let asked = registry.describe(&format!("{host}/ns/shop:1")).await;
    assert!(matches!(asked, Err(registry::Error::NotFound(_))), "{asked:?}");
    let requested = proxy.requested();
    assert!(
        requested.iter().all(|line| line.starts_with(&format!("GET http://{host}/v2/"))),
        "{requested:?}"
    );
    assert!(!requested.is_empty());
}

#[tokio::test]
async fn forbidden_addresses_are_not_requested_from_the_proxy_in_any_notation() {
    let (proxy, dir) = (Forward::start().await, tempfile::tempdir().unwrap());
    for place in ["169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "[::ffff:169.254.169.254]"]
    {
        for source in [git(&format!("http://{place}/x")), archive(&format!("https://{place}/x"), None)] {
            let failure = fetched(&proxy.build(dir.path(), source, "")).await.unwrap_err();
            assert_eq!(failure.reason, FailureReason::SourceForbidden, "{place}: {failure}");
        }
    }
    assert!(proxy.requested().is_empty());
}
