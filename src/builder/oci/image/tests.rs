use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::*;
use crate::builder::credentials::Credentials;
use crate::builder::http::Http;
use crate::builder::http::tests::serve;
use crate::builder::registry::parse;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str =
    r#"{"os":"linux","architecture":"amd64","config":{"User":"1000","ExposedPorts":{"8080/tcp":{}}}}"#;

fn sum(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

fn manifest_of(config: &str, size: usize) -> String {
    let config =
        json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size });
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }).to_string()
}

fn index_of(entries: &[(&str, &str)]) -> String {
    let entry = |(architecture, digest): &(&str, &str)| {
        let platform = json!({ "os": "linux", "architecture": architecture });
        json!({ "mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform })
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string()
}

fn here() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A registry with the repository `you/shop`: texts by path below it. A text that starts with `http` is a redirect.
async fn registry(texts: &[(String, String)]) -> String {
    let texts: Arc<BTreeMap<String, String>> = Arc::new(texts.iter().cloned().collect());
    let answer = async move |request: Request| -> Response {
        let path = request.uri().path().trim_start_matches("/v2/you/shop/").to_owned();
        match texts.get(&path).map(String::as_str) {
            Some("endless") => {
                let piece = || Ok::<_, std::io::Error>(vec![b' '; 1 << 16]);
                Body::from_stream(futures::stream::repeat_with(piece)).into_response()
            }
            Some(place) if place.starts_with("http") => {
                (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, place.to_owned())]).into_response()
            }
            Some(text) => text.to_owned().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    };
    format!("git.test:{}", serve(Router::new().fallback(answer)).await)
}

async fn describe(host: &str, name: &str) -> Result<Image, Failure> {
    let (http, plain, credentials) = (Http::for_tests(), [host.to_owned()], Credentials::default());
    let registries = Registries { http: &http, credentials: &credentials, plain: &plain };
    registries.describe(&parse(&format!("{host}/you/shop{name}")).unwrap()).await
}

fn at(place: &str, text: &str) -> (String, String) {
    (place.to_owned(), text.to_owned())
}

#[tokio::test]
async fn a_multi_platform_image_is_identified_by_its_index_digest() {
    let manifest = manifest_of(&sum(CONFIG), CONFIG.len());
    let index = index_of(&[("s390x", &sum("of others")), (here(), &sum(&manifest))]);
    let host = registry(&[
        at("manifests/1", &index),
        at(&format!("manifests/{}", sum(&manifest)), &manifest),
        at(&format!("blobs/{}", sum(CONFIG)), CONFIG),
    ])
    .await;
    let image = describe(&host, ":1").await.unwrap();
    assert_eq!(image.digest, sum(&index));
    assert_eq!((image.user.as_str(), &image.ports[..]), ("1000", &[8080][..]));
    let single = describe(&host, &format!("@{}", sum(&manifest))).await.unwrap();
    assert_eq!(single.digest, sum(&manifest));
    assert_eq!(describe(&host, ":2").await.unwrap_err().reason, FailureReason::SourceNotFound);
}

#[tokio::test]
async fn an_invalid_or_unexpected_image_is_rejected() {
    let manifest = manifest_of(&sum(CONFIG), CONFIG.len());
    let digest = format!("sha256:{}", "a".repeat(64));
    let upwards = "sha256:../../../v1/secrets";
    for (texts, name, reason, words) in [
        (vec![at("manifests/1", "[]")], ":1", FailureReason::SourceNotFound, "is not an image"),
        (
            vec![at("manifests/1", &index_of(&[("s390x", &digest)]))],
            ":1",
            FailureReason::SourceNotFound,
            "platform of this node",
        ),
        (
            vec![at("manifests/1", &index_of(&[(here(), upwards)]))],
            ":1",
            FailureReason::SourceNotFound,
            "platform of this node",
        ),
        (
            vec![at("manifests/1", &manifest_of(upwards, 1))],
            ":1",
            FailureReason::SourceNotFound,
            "does not reference its configuration by sha256",
        ),
        (
            vec![at(&format!("manifests/{digest}"), &manifest)],
            "@{digest}",
            FailureReason::SourceChanged,
            "other content",
        ),
        (
            vec![at("manifests/1", &manifest), at(&format!("blobs/{}", sum(CONFIG)), "{}")],
            ":1",
            FailureReason::SourceChanged,
            "other content",
        ),
    ] {
        let host = registry(&texts).await;
        let failure = describe(&host, &name.replace("{digest}", &digest)).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn an_image_registry_cannot_redirect_to_a_forbidden_address() {
    let manifest = manifest_of(&sum(CONFIG), CONFIG.len());
    let (blob, inside) = (format!("blobs/{}", sum(CONFIG)), "http://169.254.169.254/latest/meta-data");
    let cases = [
        ("69 image whose registry redirects to the metadata address", vec![at("manifests/1", inside)]),
        (
            "69 image whose configuration is at the metadata address",
            vec![at("manifests/1", &manifest), at(&blob, inside)],
        ),
        (
            "69 image whose registry redirects to a Service address",
            vec![at("manifests/1", "http://10.96.0.1/")],
        ),
    ];
    for (case, texts) in cases {
        let failure = describe(&registry(&texts).await, ":1").await.expect_err(case);
        assert_eq!(failure.reason, FailureReason::SourceForbidden, "{case}: {}", failure.message);
    }
    // Bad input 71: manifest of an image without an end
    let endless = describe(&registry(&[at("manifests/1", "endless")]).await, ":1").await.unwrap_err();
    assert_eq!(endless.reason, FailureReason::SourceTooLarge);
}

// Bad input 69: token service of an image at the metadata address
#[tokio::test]
async fn a_token_service_at_a_forbidden_address_is_not_contacted() {
    let answer = async |request: Request| {
        assert!(request.headers().get(AUTHORIZATION).is_none());
        let ask = "Bearer realm=\"http://169.254.169.254/token\"";
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)])
    };
    let host = format!("git.test:{}", serve(Router::new().fallback(answer)).await);
    let failure = describe(&host, ":1").await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::SourceForbidden, "{}", failure.message);
}
