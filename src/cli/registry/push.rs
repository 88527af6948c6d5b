//! Pushes a folder. What the registry has already is not sent again.

use std::fs::File;

use futures::{Stream, StreamExt as _};
use http::HeaderValue;
use hyper::body::Bytes;
use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use tokio::io::AsyncReadExt as _;

use super::{Place, Session};
use crate::cli::door::Door;
use crate::cli::failure::Failure;
use crate::cli::folder::{Artifact, EMPTY, Packed, digest};
use crate::distribution::MANIFEST;
use crate::protocol::order::cleanup::source_tag;

/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;

impl Place {
    /// Pushes the folder.
    pub(in crate::cli) async fn push(
        &self,
        door: &Door,
        packed: &Packed,
        artifact: &Artifact,
    ) -> Result<(), Failure> {
        let session = self.open(door, RegistryOperation::Push).await?;
        let sent = session.send(packed, artifact).await;
        sent.map_err(|error| self.failed(&error, session.broken()))
    }
}

impl Session {
    async fn send(&self, packed: &Packed, artifact: &Artifact) -> Result<(), OciDistributionError> {
        let place = self.reference(&source_tag(jiff::Timestamp::now().as_second()))?;
        let layer = format!("sha256:{}", packed.sum);
        if !self.client.blob_exists(&place, &layer).await? {
            let content = chunks(packed.reader()?);
            self.client.push_blob_stream(&place, content, &layer, Some(packed.length)).await?;
        }
        if !self.client.blob_exists(&place, &digest(EMPTY)).await? {
            self.client.push_blob(&place, EMPTY, &digest(EMPTY)).await?;
        }
        let kind = HeaderValue::from_static(MANIFEST);
        self.client.push_manifest_raw(&place, artifact.manifest.clone(), kind).await.map(drop)
    }
}

/// The content of a file, piece by piece.
fn chunks(file: File) -> impl Stream<Item = Result<Bytes, OciDistributionError>> + Send + 'static {
    let file = tokio::fs::File::from_std(file);
    futures::stream::try_unfold(file, |mut file| async move {
        let mut buffer = vec![0; CHUNK];
        let count = file.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok::<_, OciDistributionError>((count > 0).then(|| (Bytes::from(buffer), file)))
    })
    .boxed()
}
