//! A read-only registry (OCI distribution specification) that makes images from recipes on demand.
//! It rejects pushes.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::{
    Error,
    node::images::{Descriptor, OnDemand},
    progress,
};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const BLOB: &str = "application/octet-stream";

/// Manifests by reference without the host, because a mirror serves every host; directories of blobs; recipes.
struct Content {
    manifests: BTreeMap<String, Descriptor>,
    blobs: Vec<PathBuf>,
    recipes: Option<OnDemand>,
}

pub(super) fn router(
    manifests: BTreeMap<String, Descriptor>,
    blobs: Vec<PathBuf>,
    recipes: Option<OnDemand>,
) -> Router {
    let path =
        |reference: String| reference.split_once('/').map_or(reference.clone(), |(_, path)| path.to_owned());
    let manifests = manifests.into_iter().map(|(reference, manifest)| (path(reference), manifest)).collect();
    Router::new()
        .route("/v2/", get(|| async { "{}" }))
        .route("/v2/{*rest}", get(answer))
        .with_state(Arc::new(Content { manifests, blobs, recipes }))
}

async fn answer(State(content): State<Arc<Content>>, Path(rest): Path<String>, request: Request) -> Response {
    let finder = Arc::clone(&content);
    // Making a missing image takes a while and blocks.
    let found =
        tokio::task::spawn_blocking(move || finder.find(&rest)).await.map_err(|error| error.to_string());
    let (digest, media_type) = match found.and_then(|found| found.map_err(|error| error.to_string())) {
        Ok(Some(found)) => found,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            progress::say(format_args!("error: {error}"));
            return (StatusCode::INTERNAL_SERVER_ERROR, error).into_response();
        }
    };
    let Some(file) =
        content.blobs.iter().map(|dir| dir.join(digest.replace(':', "/"))).find(|file| file.is_file())
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(media_type) = media_type.parse() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let Ok(response) = ServeFile::new_with_mime(file, &media_type).oneshot(request).await;
    let mut response = response.into_response();
    if let Ok(value) = HeaderValue::from_str(&digest) {
        response.headers_mut().insert(DIGEST, value);
    }
    response
}

impl Content {
    /// The digest and the media type of the content that a path below `/v2/` names.
    fn find(&self, rest: &str) -> Result<Option<(String, String)>, Error> {
        let Some((name, last)) = rest.rsplit_once('/') else { return Ok(None) };
        if name.ends_with("/blobs") {
            return Ok(is_digest(last).then(|| (last.to_owned(), BLOB.to_owned())));
        }
        let Some(name) = name.strip_suffix("/manifests") else { return Ok(None) };
        let recipes = self.recipes.as_ref();
        let manifest = if is_digest(last) {
            let there = self.manifests.values().find(|manifest| manifest.digest == last).cloned();
            there.or_else(|| recipes?.with_digest(last))
        } else {
            let reference = format!("{name}:{last}");
            match (self.manifests.get(&reference), recipes) {
                (None, Some(recipes)) => recipes.ensure(&reference)?,
                (there, _) => there.cloned(),
            }
        };
        Ok(manifest.map(|manifest| (manifest.digest, manifest.media_type)))
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    fn served(dir: &std::path::Path) -> (Router, String) {
        let digest = format!("sha256:{}", "a".repeat(64));
        std::fs::create_dir(dir.join("sha256")).unwrap();
        std::fs::write(dir.join("sha256").join("a".repeat(64)), "{}").unwrap();
        let manifest =
            Descriptor { media_type: "application/test+json".to_owned(), digest: digest.clone(), size: 2 };
        let manifests = BTreeMap::from([("docker.io/library/node:22".to_owned(), manifest)]);
        (router(manifests, vec![dir.to_owned()], None), digest)
    }

    async fn ask(router: &Router, method: &str, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn an_image_is_found_by_tag_and_by_digest() {
        let dir = tempfile::tempdir().unwrap();
        let (router, digest) = served(dir.path());
        for path in ["library/node/manifests/22".to_owned(), format!("any/manifests/{digest}")] {
            let response = ask(&router, "GET", &format!("/v2/{path}?ns=docker.io")).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()["docker-content-digest"], digest.as_str());
            assert_eq!(response.headers()["content-type"], "application/test+json");
            assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "{}");
        }
        let blob = ask(&router, "HEAD", &format!("/v2/library/node/blobs/{digest}")).await;
        assert_eq!(
            (blob.status(), blob.headers()["content-length"].to_str().unwrap()),
            (StatusCode::OK, "2")
        );
    }

    #[tokio::test]
    async fn missing_content_is_not_found_and_pushes_are_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let (router, _) = served(dir.path());
        for path in ["library/node/manifests/23", "library/node/blobs/..%2f..%2fsecret", "library/node"] {
            assert_eq!(
                ask(&router, "GET", &format!("/v2/{path}")).await.status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        let push = ask(&router, "POST", "/v2/library/node/blobs/uploads/").await;
        assert_eq!(push.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
