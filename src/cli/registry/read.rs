//! Reads a text that a build has pushed, such as its log.

use oci_client::RegistryOperation;
use oci_client::errors::{OciDistributionError, OciErrorCode};

use super::{Place, Session};
use crate::cli::door::Door;
use crate::cli::failure::Failure;

/// Largest text in bytes. Builds push at most 1 MiB.
const LARGEST: i64 = 2 << 20;

impl Place {
    /// The text behind a tag; `None` if the registry has no such tag.
    pub(in crate::cli) async fn text(&self, door: &Door, tag: &str) -> Result<Option<Vec<u8>>, Failure> {
        let session = self.open(door, RegistryOperation::Pull).await?;
        self.within(&session, session.text(tag)).await
    }
}

impl Session {
    async fn text(&self, tag: &str) -> Result<Option<Vec<u8>>, OciDistributionError> {
        let place = self.reference(tag)?;
        let manifest = match self.client.pull_image_manifest(&place, &self.auth).await {
            Ok((manifest, _)) => manifest,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let layer = manifest.layers.first().filter(|layer| (0..=LARGEST).contains(&layer.size));
        let Some(layer) = layer else { return Ok(None) };
        let mut text = vec![];
        self.client.pull_blob(&place, layer, &mut text).await?;
        Ok(Some(text))
    }
}

fn is_missing(error: &OciDistributionError) -> bool {
    let codes = [OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound];
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| codes.contains(&error.code))
        }
        OciDistributionError::ServerError { code, .. } => *code == 404,
        _ => false,
    }
}
