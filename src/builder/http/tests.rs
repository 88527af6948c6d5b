use std::path::Path;

use super::*;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response as Answer};

/// A server on loopback, which these tests allow. It redirects as the query says and returns the header that it got.
pub(in crate::builder) async fn serve(router: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// The rules of the program, except for loopback. Every name ending in `.test` resolves, with a few exceptions.
pub(in crate::builder) fn rules() -> Rules {
    Rules {
        lookup: |host| {
            Box::pin(async move {
                match host.name.as_str() {
                    "metadata.test" => Ok(vec![[169, 254, 169, 254].into()]),
                    "inside.test" => Ok(vec![[127, 0, 0, 1].into(), [10, 96, 0, 1].into()]),
                    name if name.rsplit('.').next() == Some("test") => Ok(vec![[127, 0, 0, 1].into()]),
                    _ => address::system_lookup(&host).await,
                }
            })
        },
        named: |address| address::forbidden(address).filter(|_| address != IpAddr::from([127, 0, 0, 1])),
        redirected: |address| {
            address::forbidden_by_redirect(address).filter(|_| address != IpAddr::from([127, 0, 0, 1]))
        },
        own: None,
    }
}

impl Http {
    pub(in crate::builder) fn for_tests() -> Self {
        // The process has no provider for TLS in a test, and needs none for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { rules: rules(), certificates: vec![], proxies: Proxies::default() }
    }

    pub(in crate::builder) fn through(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }
}

async fn answer(request: Request) -> Answer {
    let query = request.uri().query().unwrap_or_default().to_owned();
    if let Some(next) = query.strip_prefix("next=") {
        return (StatusCode::FOUND, [(LOCATION, next.to_owned())]).into_response();
    }
    if query == "endless" {
        let zeros = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0u8; 64 << 10]));
        return axum::body::Body::from_stream(zeros).into_response();
    }
    let authorization = request.headers().get(AUTHORIZATION);
    String::from_utf8_lossy(authorization.map_or(b"none", |value| value.as_bytes()))
        .into_owned()
        .into_response()
}

async fn get(url: &str) -> Result<String, Failure> {
    let question = Question { authorization: Some("Bearer planted-token"), ..Question::default() };
    let answer = Http::for_tests().get(&Url::parse(url).unwrap(), question, Stage::Fetch).await?;
    Ok(String::from_utf8(text(answer, 1000, Stage::Fetch).await?).unwrap())
}

#[tokio::test]
async fn redirects_to_forbidden_addresses_are_rejected() {
    let port = serve(Router::new().fallback(answer)).await;
    let start = format!("http://git.test:{port}/?next=");
    let cases = [
        ("69 redirect to the metadata address", "http://169.254.169.254/latest/meta-data", "link-local"),
        ("69 redirect to a name with that address", "http://metadata.test/", "link-local"),
        ("69 redirect to loopback in hex", "http://0x7f000002/", "loopback"),
        ("69 redirect to loopback in IPv6", "http://[::1]/", "loopback"),
        ("69 redirect to a mapped address", "http://[::ffff:169.254.169.254]/", "link-local"),
        ("69 redirect to a Service address", "http://10.96.0.1/", "private"),
        ("69 redirect to a name that is inside, too", "http://inside.test/", "private"),
        ("69 redirect to a unique local address", "http://[fd00::1]/", "private"),
        ("69 redirect to a file", "file:///etc/passwd", "another transport"),
        ("70 redirect to a URL with a password", "http://ada:planted-word@git.test/", "with a password"),
    ];
    for (case, next, word) in cases {
        let failure = get(&format!("{start}{next}")).await.expect_err(case);
        assert_eq!(failure.reason, FailureReason::SourceForbidden, "{case}: {}", failure.message);
        assert!(failure.message.contains(word), "{case}: {}", failure.message);
        assert!(!failure.message.contains("planted"), "{case}: {}", failure.message);
    }
    // Bad input 69: four redirects
    let circle = get(&format!("{start}{start}{start}{start}/")).await.unwrap_err();
    assert!(circle.message.contains("more than 3 times"), "{}", circle.message);
}

// Bad input 70: redirect to another host with credentials on board
#[tokio::test]
async fn credentials_are_sent_only_to_the_named_host() {
    let port = serve(Router::new().fallback(answer)).await;
    let here = format!("http://git.test:{port}/");
    assert_eq!(get(&here).await.unwrap(), "Bearer planted-token");
    assert_eq!(get(&format!("{here}?next=/other")).await.unwrap(), "Bearer planted-token");
    assert_eq!(get(&format!("{here}?next=http://other.test:{port}/")).await.unwrap(), "none");
    let other_port = serve(Router::new().fallback(answer)).await;
    assert_eq!(get(&format!("{here}?next=http://git.test:{other_port}/")).await.unwrap(), "none");
}

// Bad input 71: answer without an end
#[tokio::test]
async fn endless_responses_are_cut_off() {
    let port = serve(Router::new().fallback(answer)).await;
    let url = Url::parse(&format!("http://git.test:{port}/?endless")).unwrap();
    let endless = || async { Http::for_tests().get(&url, Question::default(), Stage::Fetch).await.unwrap() };
    let dir = tempfile::tempdir().unwrap();
    let saved = save(endless().await, &dir.path().join("x"), 1 << 20, Stage::Fetch).await.unwrap_err();
    assert_eq!(saved.reason, FailureReason::SourceTooLarge);
    assert_eq!(
        text(endless().await, 1 << 20, Stage::Fetch).await.unwrap_err().reason,
        FailureReason::SourceTooLarge
    );
}

#[tokio::test]
async fn a_download_reports_a_full_disk() {
    let port = serve(Router::new().fallback(answer)).await;
    let url = Url::parse(&format!("http://127.0.0.1:{port}/x.tar.gz?endless")).unwrap();
    let answer = Http::for_tests().get(&url, Question::default(), Stage::Fetch).await.unwrap();
    // `/dev/full` is always full.
    let full = save(answer, Path::new("/dev/full"), 1 << 20, Stage::Fetch).await.unwrap_err();
    assert_eq!((full.stage, full.reason), (Stage::Fetch, FailureReason::OutOfDisk), "{full}");
}

#[tokio::test]
async fn url_queries_are_never_shown() {
    // Nothing listens on port 1. The error of the client would contain the whole URL.
    let failure = get("http://git.test:1/a.tar.gz?signature=planted-word").await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::SourceUnreachable);
    assert!(failure.message.starts_with("http://git.test:1/a.tar.gz does not answer"), "{}", failure.message);
    assert!(
        failure.message.ends_with("; check the URL, and that pods can reach its host"),
        "{}",
        failure.message
    );
    assert!(!failure.message.contains("planted"), "{}", failure.message);
}

#[test]
fn a_failing_host_is_reported_with_what_to_check() {
    let url = Url::parse("https://h/a.tar.gz").unwrap();
    let failure = refused(&url, StatusCode::BAD_GATEWAY, Stage::Fetch);
    assert_eq!(failure.reason, FailureReason::SourceUnreachable);
    assert!(failure.message.ends_with("status 502; check the URL, and that its host works"), "{failure}");
}

// Bad input 69: source in a private network, which the platform's owner does not allow
#[tokio::test]
async fn a_source_in_a_private_network_is_rejected_if_the_platform_disallows_it() {
    let http = Http::new("", Rules::public(), Proxies::default()).unwrap();
    for url in ["http://10.96.0.1/", "http://[fd12::1]/", "http://[::ffff:192.168.1.1]/"] {
        let url = named(url, Stage::Resolve).unwrap();
        let refused = http.get(&url, Question::default(), Stage::Resolve).await.err().unwrap();
        assert_eq!(refused.reason, FailureReason::SourceForbidden, "{url}");
        assert!(refused.message.contains("build.privateSources"), "{refused}");
    }
}
