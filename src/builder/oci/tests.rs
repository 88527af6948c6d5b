use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response as Answer};
use serde_json::{Value, json};

use super::*;
use crate::builder::http::tests::serve;

const BLOB: &[u8] = b"a layer";

fn sum(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "layers": [{ "mediaType": LAYER, "digest": sum(BLOB), "size": BLOB.len() }],
        "annotations": { REVISION: "main@sha1:0123" },
    })
}

/// A registry of one artifact, `shop/source:1`; if `closed`, it gives a token only for the password.
async fn registry(manifest: Value, blob: &'static [u8], closed: bool) -> String {
    let body = Arc::new(manifest.to_string());
    let answer = move |request: Request| {
        let body = body.clone();
        async move {
            let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            match request.uri().path() {
                "/token" if header == Some("Basic YWRhOmh1bnRlcjI=") => {
                    assert!(
                        request.uri().query().unwrap().contains("scope=repository%3Ashop%2Fsource%3Apull")
                    );
                    json!({ "token": "t0ken" }).to_string().into_response()
                }
                "/token" => StatusCode::UNAUTHORIZED.into_response(),
                _ if closed && header != Some("Bearer t0ken") => {
                    let ask = format!("Bearer realm=\"http://{host}/token\",service=\"r\"");
                    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)]).into_response()
                }
                path if path.starts_with("/v2/shop/source/manifests/") => {
                    body.as_str().to_owned().into_response()
                }
                path if path == format!("/v2/shop/source/blobs/{}", sum(BLOB)) => blob.into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    let answer = move |request: Request| -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(answer(request))
    };
    format!("git.test:{}", serve(Router::new().fallback(answer)).await)
}

async fn pull(host: &str, name: &str, credentials: &Credentials) -> Result<(Artifact, Vec<u8>), Failure> {
    let (http, plain) = (Http::for_tests(), [host.to_owned()]);
    let registries = Registries { http: &http, credentials, plain: &plain };
    let artifact = registries.resolve(&format!("{host}/{name}")).await?;
    let dir = tempfile::tempdir().unwrap();
    registries.save(&artifact, &dir.path().join("layer")).await?;
    Ok((artifact, std::fs::read(dir.path().join("layer")).unwrap()))
}

#[tokio::test]
async fn an_artifact_is_pulled_by_tag_and_by_digest() {
    let host = registry(manifest(), BLOB, false).await;
    let (artifact, layer) = pull(&host, "shop/source:1", &Credentials::default()).await.unwrap();
    assert_eq!((artifact.revision.as_deref(), &layer[..]), (Some("main@sha1:0123"), BLOB));
    assert_eq!(artifact.digest, sum(manifest().to_string().as_bytes()));
    let exact = format!("shop/source@{}", artifact.digest);
    assert_eq!(pull(&host, &exact, &Credentials::default()).await.unwrap().0.digest, artifact.digest);
}

#[tokio::test]
async fn a_private_artifact_is_pulled_with_the_docker_configuration_of_its_registry() {
    let host = registry(manifest(), BLOB, true).await;
    let denied = pull(&host, "shop/source:1", &Credentials::default()).await.unwrap_err();
    assert_eq!(denied.reason, FailureReason::SourceAuthFailed, "{}", denied.message);
    let config = |name: &str| json!({ "auths": { name: { "auth": "YWRhOmh1bnRlcjI=" } } }).to_string();
    let credentials = Credentials::of(&[(".dockerconfigjson", &config(&format!("https://{host}/v2/")))]);
    assert_eq!(pull(&host, "shop/source:1", &credentials).await.unwrap().1, BLOB);
    let elsewhere = Credentials::of(&[(".dockerconfigjson", &config("ghcr.io"))]);
    let denied = pull(&host, "shop/source:1", &elsewhere).await.unwrap_err();
    assert_eq!(denied.reason, FailureReason::SourceAuthFailed, "a password goes to its own registry only");
}

// Bad input 76: digest of a layer with .. in it
#[tokio::test]
async fn an_invalid_or_unexpected_artifact_is_rejected() {
    let with = |pointer: &str, value: Value| {
        let mut changed = manifest();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let public = Credentials::default();
    for (wrong, reason) in [
        (with("/layers", json!([])), FailureReason::SourceNotFound),
        (
            with("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip")),
            FailureReason::SourceNotFound,
        ),
        (with("/layers/0/digest", json!("sha256:../../../v1/secrets")), FailureReason::SourceNotFound),
        (with("/layers/0/size", json!(1u64 << 40)), FailureReason::SourceTooLarge),
        (json!("no manifest"), FailureReason::SourceNotFound),
    ] {
        let host = registry(wrong.clone(), BLOB, false).await;
        let failure = pull(&host, "shop/source:1", &public).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{wrong}: {}", failure.message);
    }
    let host = registry(manifest(), b"another layer", false).await;
    assert_eq!(pull(&host, "shop/source:1", &public).await.unwrap_err().reason, FailureReason::SourceChanged);
    let other = format!("shop/source@sha256:{}", "a".repeat(64));
    assert_eq!(pull(&host, &other, &public).await.unwrap_err().reason, FailureReason::SourceChanged);
    assert_eq!(pull(&host, "nothing:1", &public).await.unwrap_err().reason, FailureReason::SourceNotFound);
}

#[test]
fn realms_are_parsed_and_passwords_in_them_are_rejected() {
    let url =
        challenge::realm(r#"Bearer realm="https://auth.example/token",service="r x",scope="a:b:pull""#, "x");
    assert_eq!(url.unwrap().as_str(), "https://auth.example/token?scope=a%3Ab%3Apull&service=r+x");
    for asked in [r#"Basic realm="x""#, "Bearer realm=x", r#"Bearer realm="https://a:b@c/""#, ""] {
        assert_eq!(challenge::realm(asked, "x"), None, "{asked}");
    }
}

// Bad input 69: token service of a registry at the metadata address
#[tokio::test]
async fn a_realm_at_a_forbidden_address_is_not_contacted() {
    let ask = "Bearer realm=\"http://169.254.169.254/token\"";
    let answer = move || async move { (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)]) };
    let host = format!("git.test:{}", serve(Router::new().fallback(answer)).await);
    let failure = pull(&host, "shop/source:1", &Credentials::default()).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::SourceForbidden, "{}", failure.message);
}
