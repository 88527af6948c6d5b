//! Reads a source from a registry that a person named: an OCI artifact with one layer, a tar.gz of the type that Flux
//! uses for sources; or a prebuilt image. It sends only the GETs of a pull, each through the client that checks
//! addresses.

use oci_client::Reference;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::credentials::Credentials;
use super::http::{self, Http, Question};
use super::outcome::Failure;
use super::registry;
use super::source::MAX_BYTES;
use crate::distribution::{LARGEST, MANIFEST, is_sum};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::protocol::source_upload::LAYER;

mod challenge;
mod image;

const REVISION: &str = "org.opencontainers.image.revision";
const MAX_TOKEN: usize = 64 << 10;

/// An artifact as its registry describes it.
#[derive(Debug)]
pub(super) struct Artifact {
    /// Digest of its manifest.
    pub(super) digest: String,
    /// The revision that it was made from, as its creator noted it.
    pub(super) revision: Option<String>,
    layer: Url,
    sum: String,
    authorization: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
}

/// The response of a registry to a request for a manifest.
struct Answer {
    /// URL of the request.
    url: Url,
    response: Response,
    /// The header that it requires for this repository.
    authorization: Option<String>,
}

/// Access to registries from the pod.
pub(super) struct Registries<'a> {
    pub(super) http: &'a Http,
    pub(super) credentials: &'a Credentials,
    /// Those that speak plain HTTP.
    pub(super) plain: &'a [String],
}

impl Registries<'_> {
    /// The artifact that the reference points to now.
    pub(super) async fn resolve(&self, reference: &str) -> Result<Artifact, Failure> {
        let parsed = registry::parse(reference).map_err(|error| error.of_source())?;
        let Answer { url, response, authorization } = self.ask(&parsed, MANIFEST).await?;
        if response.status() != StatusCode::OK {
            return Err(http::refused(&url, response.status(), Stage::Resolve));
        }
        let body = http::text(response, LARGEST, Stage::Resolve).await?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
        if parsed.digest().is_some_and(|wanted| wanted != digest) {
            let message = format!("the registry returned other content for {reference}: {digest}");
            return Err(Failure::new(Stage::Resolve, FailureReason::SourceChanged, message));
        }
        let manifest = serde_json::from_slice::<Manifest>(&body).map_err(|_| holds_none(reference))?;
        let sources: Vec<&Layer> = manifest.layers.iter().filter(|layer| layer.media_type == LAYER).collect();
        let [layer] = sources[..] else { return Err(holds_none(reference)) };
        let sum = layer.digest.strip_prefix("sha256:").filter(|sum| is_sum(sum));
        let sum = sum.ok_or_else(|| holds_none(reference))?.to_owned();
        if layer.size > MAX_BYTES {
            return Err(super::source::too_large());
        }
        let revision = manifest.annotations.and_then(|mut notes| notes.remove(REVISION));
        let layer = self.place(&parsed, &format!("blobs/sha256:{sum}"))?;
        Ok(Artifact { digest, revision, layer, sum, authorization })
    }

    /// Requests a manifest, and again with credentials if the registry requires them.
    async fn ask(&self, reference: &Reference, accept: &str) -> Result<Answer, Failure> {
        let wanted = reference.digest().or(reference.tag()).unwrap_or("latest");
        let url = self.place(reference, &format!("manifests/{wanted}"))?;
        let question = Question { accept: Some(accept), ..Question::default() };
        let response = self.http.get(&url, question, Stage::Resolve).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(Answer { url, response, authorization: None });
        }
        let (host, repository) = (reference.resolve_registry(), reference.repository());
        let authorization = self.answer(&response, &url, host, repository).await?;
        let question = Question { authorization: authorization.as_deref(), ..question };
        let response = self.http.get(&url, question, Stage::Resolve).await?;
        Ok(Answer { url, response, authorization })
    }

    /// The URL of a part of the repository.
    fn place(&self, reference: &Reference, part: &str) -> Result<Url, Failure> {
        registry::host(reference)?;
        let host = reference.resolve_registry();
        let scheme = if self.plain.iter().any(|plain| plain == host) { "http" } else { "https" };
        http::named(&format!("{scheme}://{host}/v2/{}/{part}", reference.repository()), Stage::Resolve)
    }

    /// Writes the layer to `file`.
    pub(super) async fn save(&self, artifact: &Artifact, file: &std::path::Path) -> Result<(), Failure> {
        let question = Question { authorization: artifact.authorization.as_deref(), ..Question::default() };
        let response = self.http.get(&artifact.layer, question, Stage::Fetch).await?;
        if response.status() != StatusCode::OK {
            return Err(http::refused(&artifact.layer, response.status(), Stage::Fetch));
        }
        let sum = http::save(response, file, MAX_BYTES, Stage::Fetch).await?;
        if sum == artifact.sum {
            return Ok(());
        }
        let message = format!("the layer of the artifact is sha256:{sum}, not sha256:{}", artifact.sum);
        Err(Failure::new(Stage::Fetch, FailureReason::SourceChanged, message))
    }

    /// The authorization header that a registry requires with this response.
    pub(super) async fn answer(
        &self,
        response: &Response,
        url: &Url,
        host: &str,
        repository: &str,
    ) -> Result<Option<String>, Failure> {
        let basic = challenge::basic(self.credentials, host, repository)?;
        let asked = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let Some(realm) = asked.and_then(|asked| challenge::realm(asked, repository)) else {
            return Ok(basic);
        };
        let refused = |status| http::refused(&realm, status, Stage::Resolve);
        if realm.scheme() != "https" && url.scheme() == "https" {
            return Err(refused(StatusCode::UNAUTHORIZED));
        }
        let answer = self.http.get_token(&realm, url, basic.as_deref()).await?;
        if answer.status() != StatusCode::OK {
            return Err(refused(answer.status()));
        }
        let body = http::text(answer, MAX_TOKEN, Stage::Resolve).await?;
        let body = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| body[*key].as_str());
        Ok(token.map(|token| format!("Bearer {token}")))
    }
}

fn holds_none(reference: &str) -> Failure {
    let message = format!(
        "{reference} is not a source: it must have exactly one layer of type {LAYER}; create it with flux push artifact"
    );
    Failure::new(Stage::Resolve, FailureReason::SourceNotFound, message)
}

#[cfg(test)]
mod tests;
