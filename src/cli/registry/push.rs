//! Pushes a folder. What the registry has already is not sent again.

use std::fs::File;

use futures::{Stream, StreamExt as _};
use http::HeaderValue;
use hyper::body::Bytes;
use oci_client::errors::OciDistributionError;
use oci_client::{Reference, RegistryOperation};
use tokio::io::AsyncReadExt as _;

use super::{Pace, Place, Session};
use crate::cli::door::Door;
use crate::cli::failure::Failure;
use crate::cli::folder::{Artifact, EMPTY, Packed, digest};
use crate::distribution::MANIFEST;
use crate::protocol::order::cleanup::source_tag;

/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;

impl Place {
    /// Pushes the folder. If a spec names it already, only what the registry has lost. Returns whether anything was pushed.
    pub(in crate::cli) async fn push(
        &self,
        door: &Door,
        packed: &Packed,
        artifact: &Artifact,
        is_named: bool,
    ) -> Result<bool, Failure> {
        let session = self.open(door, RegistryOperation::Push).await?;
        self.within(&session, session.send(packed, artifact, is_named)).await
    }
}

impl Session {
    async fn send(
        &self,
        packed: &Packed,
        artifact: &Artifact,
        is_named: bool,
    ) -> Result<bool, OciDistributionError> {
        let place = self.reference("latest")?;
        let layer = format!("sha256:{}", packed.sum);
        let has_layer = self.client.blob_exists(&place, &layer).await?;
        if is_named && has_layer && self.has(&artifact.digest).await {
            return Ok(false);
        }
        if !has_layer {
            let content = chunks(packed.reader()?, self.pace.clone());
            self.client.push_blob_stream(&place, content, &layer, Some(packed.length)).await?;
        }
        if !self.client.blob_exists(&place, &digest(EMPTY)).await? {
            self.client.push_blob(&place, EMPTY, &digest(EMPTY)).await?;
        }
        // The time counts from now on, not from the begin of a long upload.
        let place = self.reference(&source_tag(jiff::Timestamp::now().as_second()))?;
        let kind = HeaderValue::from_static(MANIFEST);
        self.client.push_manifest_raw(&place, artifact.manifest.clone(), kind).await?;
        Ok(true)
    }

    /// Whether the registry has a manifest.
    async fn has(&self, digest: &str) -> bool {
        let Ok(place) = Reference::try_from(format!("{}@{digest}", self.repository)) else { return false };
        self.client.fetch_manifest_digest(&place, &self.auth).await.is_ok()
    }
}

/// The content of a file, piece by piece.
fn chunks(
    file: File,
    pace: Pace,
) -> impl Stream<Item = Result<Bytes, OciDistributionError>> + Send + 'static {
    let file = tokio::fs::File::from_std(file);
    futures::stream::try_unfold((file, pace), |(mut file, pace)| async move {
        pace.step();
        let mut buffer = vec![0; CHUNK];
        let count = file.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok::<_, OciDistributionError>((count > 0).then(|| (Bytes::from(buffer), (file, pace))))
    })
    .boxed()
}
