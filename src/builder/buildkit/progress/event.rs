//! The fields of `buildctl --progress=rawjson` that we use. All other fields may have any shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// One line: the changes since the last one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) vertexes: Vec<Vertex>,
    pub(super) statuses: Vec<Status>,
    pub(super) logs: Vec<Output>,
}

/// A part of the build: a step of the Dockerfile, or work of `BuildKit` around the steps.
#[derive(Debug, Deserialize)]
pub(super) struct Vertex {
    pub(super) digest: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    #[serde(default)]
    pub(super) cached: bool,
    #[serde(default)]
    pub(super) error: String,
}

/// What a vertex is doing.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) vertex: String,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
}

/// Output of a step, cut at any byte.
#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub(super) vertex: String,
    /// 1 for standard output, 2 for standard error.
    #[serde(default)]
    pub(super) stream: u8,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) data: Vec<u8>,
    pub(super) timestamp: Option<Timestamp>,
}

fn bytes<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(source)?.unwrap_or_default();
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}
