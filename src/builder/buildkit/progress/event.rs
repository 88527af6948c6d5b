//! The lines of `buildctl --progress=rawjson`, as far as they are used. What else is in them may have any shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// One line: what changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) vertexes: Vec<Vertex>,
    pub(super) statuses: Vec<Status>,
    pub(super) logs: Vec<Output>,
}

/// A part of the build: a step of the Dockerfile, or something that `BuildKit` does around them.
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

/// What a vertex is busy with.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) vertex: String,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
}

/// What a step prints, cut anywhere.
#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub(super) vertex: String,
    /// 1 or 2, standard output or error.
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
