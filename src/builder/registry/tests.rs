use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::builder::credentials::Login;
use crate::builder::http::tests::serve;
use crate::protocol::reason::FailureReason;

#[test]
fn image_configurations_are_read() {
    let text = r#"{"os":"linux","architecture":"amd64","future":[1],
        "config":{"User":"node","ExposedPorts":{"3000/tcp":{},"53/udp":{},"80":{},"x":{},"0":{}},"Shell":["a"]}}"#;
    let image = serde_json::from_str::<Config>(text).unwrap().image();
    assert_eq!((image.user.as_str(), image.platform.as_str()), ("node", "linux/amd64"));
    assert_eq!(image.ports, [80, 3000]);
    let empty =
        serde_json::from_str::<Config>(r#"{"config":{"User":null,"ExposedPorts":null}}"#).unwrap().image();
    assert_eq!((empty.user.as_str(), empty.ports.len()), ("", 0));
}

#[test]
fn truncated_errors_are_marked() {
    let said = chain(&std::io::Error::other("x".repeat(501)));
    assert_eq!(said, format!("{}…", "x".repeat(500)), "redaction looks for partial secrets there");
}

#[test]
fn references_go_to_the_mirror_under_the_same_name() {
    let moved = |text| at_mirror("10.0.0.1:5000", &parse(text).unwrap()).to_string();
    assert_eq!(moved("nginx"), "10.0.0.1:5000/library/nginx:latest");
    assert_eq!(moved("docker.io/library/node:22"), "10.0.0.1:5000/library/node:22");
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(moved(&format!("a/b@{digest}")), format!("10.0.0.1:5000/a/b@{digest}"));
}

#[test]
fn invalid_references_are_rejected() {
    for text in ["", "a b", "a/UPPER", "x@sha256:12", &format!("a:{}", "t".repeat(129)), "-x", "a\n"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn hosts_of_references_are_found() {
    for (text, name, port) in [
        ("localhost:5000/x:1", "localhost", 5000),
        ("nginx", "index.docker.io", 443),
        ("10.0.0.1/x/y", "10.0.0.1", 443),
    ] {
        let host = host(&parse(text).unwrap()).unwrap();
        assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
    }
}

#[test]
fn bundles_are_split_into_certificates() {
    let block = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    assert_eq!(certificates(&format!("# a comment\n{block}\n{block}")).len(), 2);
    assert!(certificates("").is_empty());
}

fn sum(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

/// A registry behind htpasswd with one image, `you/shop:1`.
async fn private(request: Request) -> Response {
    let expected = format!("Basic {}", STANDARD.encode("ada:planted-w0rd"));
    if request.headers().get(AUTHORIZATION).is_none_or(|value| value.as_bytes() != expected.as_bytes()) {
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"test\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let config = r#"{"os":"linux","architecture":"amd64","config":{"User":"1000"},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}}"#,
        sum(config),
        config.len()
    );
    match request.uri().path() {
        "/v2/" => "{}".into_response(),
        "/v2/you/shop/manifests/1" => (
            [(CONTENT_TYPE, kind), ("docker-content-digest".parse().unwrap(), sum(&manifest).as_str())],
            manifest,
        )
            .into_response(),
        path if path == format!("/v2/you/shop/blobs/{}", sum(config)) => config.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn a_private_registry_accepts_only_its_own_login() {
    let port = serve(Router::new().fallback(private)).await;
    let host = format!("127.0.0.1:{port}");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asked = async |ring: Keyring| {
        let registry =
            Registry::new(vec![host.clone()], None, "", ring, &crate::protocol::proxies::Proxies::default())
                .unwrap();
        registry.describe(&format!("{host}/you/shop:1")).await
    };
    let login = |password: &str| Login { user: "ada".to_owned(), password: password.to_owned() };
    let image = asked(Keyring::of(&host, login("planted-w0rd"))).await.unwrap();
    assert_eq!((image.user.as_str(), image.platform.as_str()), ("1000", "linux/amd64"));
    for ring in [
        Keyring::default(),
        Keyring::of(&host, login("wrong")),
        Keyring::of("r.example", login("planted-w0rd")),
    ] {
        let error = asked(ring).await.unwrap_err();
        assert!(matches!(error, Error::Denied(_)), "{error}");
        let advice = Advice { refused: "look at Secret push".to_owned(), full: "make room" };
        let failure = error.of_push(&advice);
        assert_eq!((failure.stage, failure.reason), (Stage::Push, FailureReason::RegistryDenied));
        assert!(failure.message.ends_with("look at Secret push"), "{}", failure.message);
        let failure = error.of_source();
        assert_eq!(failure.reason, FailureReason::SourceAuthFailed);
        assert!(failure.message.contains("secretRef"), "{}", failure.message);
    }
}

type Taken = std::sync::Arc<std::sync::Mutex<std::collections::BTreeMap<String, String>>>;

/// A registry that accepts pushes: blobs and manifests by their paths.
pub(in crate::builder) fn taking(taken: Taken) -> Router {
    Router::new().fallback(async move |request: Request| {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 4 << 20).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let location = |place: String| [("location", place)];
        match method.as_str() {
            "POST" => (StatusCode::ACCEPTED, location(format!("{path}1"))).into_response(),
            "PATCH" => {
                taken.lock().unwrap().insert(path.clone(), body);
                (StatusCode::ACCEPTED, [("location", path), ("range", "0-1".to_owned())]).into_response()
            }
            "PUT" => {
                let body = if body.is_empty() { taken.lock().unwrap().remove(&path).unwrap() } else { body };
                let name = query
                    .split_once("digest=")
                    .map_or_else(|| path.clone(), |(_, sum)| sum.replace("%3A", ":"));
                taken.lock().unwrap().insert(name, body);
                (StatusCode::CREATED, location(path)).into_response()
            }
            _ if path == "/v2/" => "{}".into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
}

/// A registry of distribution 2.8 whose disk is full: it answers, but accepts no upload.
pub(in crate::builder) fn full() -> Router {
    const SAYS: &str = r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"write","Path":"/x/startedat","Err":28}}}]}"#;
    Router::new().fallback(async |request: Request| match request.method().as_str() {
        "POST" => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "application/json")], SAYS).into_response()
        }
        _ if request.uri().path() == "/v2/" => "{}".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
}
