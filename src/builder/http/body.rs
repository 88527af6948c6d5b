//! Reads the bodies of responses, with a limit on their size.

use std::path::Path;

use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::{shown, unreachable};
use crate::builder::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Writes the body of a response to `file`; returns its SHA-256 as hex digits.
pub(in crate::builder) async fn save(
    mut response: Response,
    file: &Path,
    limit: u64,
    stage: Stage,
) -> Result<String, Failure> {
    let failed = |error| Failure::workspace(stage, "the source could not be written", &error);
    let url = response.url().clone();
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_long(&url, limit));
    }
    let mut out = tokio::fs::File::create(file).await.map_err(failed)?;
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&url, None, error, stage))? {
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(too_long(&url, limit));
        }
        sum.update(&chunk);
        out.write_all(&chunk).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)?;
    Ok(hex::encode(sum.finalize()))
}

/// The whole body of a small response.
pub(in crate::builder) async fn text(
    mut response: Response,
    limit: usize,
    stage: Stage,
) -> Result<Vec<u8>, Failure> {
    let url = response.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&url, None, error, stage))? {
        if body.len() + chunk.len() > limit {
            return Err(too_long(&url, limit as u64));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_long(url: &Url, limit: u64) -> Failure {
    let message = format!("{} sends more than {} MiB", shown(url), limit >> 20);
    Failure::new(Stage::Verify, FailureReason::SourceTooLarge, message)
}
