//! Describes an image that a person named: the digest that its reference points to now, and its configuration.

use std::time::Duration;

use oci_client::Reference;
use oci_client::client::current_platform_resolver;
use oci_client::manifest::OciManifest;
use reqwest::StatusCode;
use sha2::{Digest as _, Sha256};

use super::{Answer, Registries};
use crate::builder::http::{self, Question};
use crate::builder::outcome::Failure;
use crate::builder::registry::{Error, Image};
use crate::distribution::{LARGEST, MANIFESTS, is_digest};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Time limit for all its responses together.
const TIME: Duration = Duration::from_mins(1);

impl Registries<'_> {
    /// Describes the image that the reference points to; of several platforms, the one of this pod.
    pub(in crate::builder) async fn describe(&self, reference: &Reference) -> Result<Image, Failure> {
        tokio::time::timeout(TIME, self.read(reference)).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", TIME.as_secs());
            Err(Error::Unreachable { image: reference.to_string(), why }.of_source())
        })
    }

    async fn read(&self, reference: &Reference) -> Result<Image, Failure> {
        let (digest, manifest, mut authorization) = self.manifest(reference).await?;
        let manifest = match manifest {
            OciManifest::Image(manifest) => manifest,
            OciManifest::ImageIndex(index) => {
                let chosen = current_platform_resolver(&index.manifests).filter(|digest| is_digest(digest));
                let chosen =
                    chosen.ok_or_else(|| unfit(reference, "has no image for the platform of this node"))?;
                let (_, chosen, asked) = self.manifest(&reference.clone_with_digest(chosen)).await?;
                authorization = asked;
                let OciManifest::Image(manifest) = chosen else {
                    return Err(unfit(reference, "is an index of indexes"));
                };
                manifest
            }
        };
        let config = self.blob(reference, &manifest.config.digest, authorization.as_deref()).await?;
        let image = Image::read(&config).map_err(|error| {
            unfit(reference, &format!("has a configuration that cannot be read ({error})"))
        })?;
        Ok(Image { digest, ..image })
    }

    /// A manifest with its digest, and the authorization header that the registry required.
    async fn manifest(
        &self,
        reference: &Reference,
    ) -> Result<(String, OciManifest, Option<String>), Failure> {
        let Answer { url, response, authorization } = self.ask(reference, MANIFESTS).await?;
        let image = reference.to_string();
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(Error::NotFound(image).of_source()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Error::Denied(image).of_source()),
            status => return Err(http::refused(&url, status, Stage::Resolve)),
        }
        let body = http::text(response, LARGEST, Stage::Resolve).await?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
        if reference.digest().is_some_and(|wanted| wanted != digest) {
            return Err(changed(reference, &digest));
        }
        let manifest = serde_json::from_slice(&body).map_err(|_| unfit(reference, "is not an image"))?;
        Ok((digest, manifest, authorization))
    }

    async fn blob(
        &self,
        reference: &Reference,
        digest: &str,
        authorization: Option<&str>,
    ) -> Result<Vec<u8>, Failure> {
        if !is_digest(digest) {
            return Err(unfit(reference, "does not reference its configuration by sha256"));
        }
        let url = self.place(reference, &format!("blobs/{digest}"))?;
        let response =
            self.http.get(&url, Question { authorization, ..Question::default() }, Stage::Resolve).await?;
        if response.status() != StatusCode::OK {
            return Err(http::refused(&url, response.status(), Stage::Resolve));
        }
        let body = http::text(response, LARGEST, Stage::Resolve).await?;
        let found = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
        if found == digest { Ok(body) } else { Err(changed(reference, &found)) }
    }
}

fn changed(reference: &Reference, found: &str) -> Failure {
    let message = format!("the registry returned other content for {reference}: {found}");
    Failure::new(Stage::Resolve, FailureReason::SourceChanged, message)
}

fn unfit(reference: &Reference, why: &str) -> Failure {
    let message = format!("{reference} {why}; use an image that the nodes of this cluster can run");
    Failure::new(Stage::Resolve, FailureReason::SourceNotFound, message)
}

#[cfg(test)]
mod tests;
