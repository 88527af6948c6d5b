//! The manifest of a source in a registry: an OCI artifact as Flux makes it, with the archive as its only layer.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Packed;
use crate::distribution::MANIFEST;
use crate::protocol::source_upload::{CONFIG, LAYER};

/// Content of the configuration.
pub(in crate::cli) const EMPTY: &[u8] = b"{}";

/// A manifest. It has no time and no annotations, so that its digest depends only on the files.
#[derive(Debug)]
pub(in crate::cli) struct Artifact {
    /// The manifest as its digest says.
    pub(in crate::cli) manifest: Vec<u8>,
    /// `sha256:` and 64 hex digits.
    pub(in crate::cli) digest: String,
}

impl Artifact {
    /// The artifact of an archive.
    pub(in crate::cli) fn of(packed: &Packed) -> Self {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest(EMPTY), "size": EMPTY.len() },
            "layers": [{ "mediaType": LAYER, "digest": format!("sha256:{}", packed.sum), "size": packed.length }],
        });
        let manifest = manifest.to_string().into_bytes();
        Self { digest: digest(&manifest), manifest }
    }
}

/// Digest of some bytes.
pub(in crate::cli) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
