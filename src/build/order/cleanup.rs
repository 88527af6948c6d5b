//! What the pod of a cleanup Job is told to delete. It holds no secret.

use serde::{Deserialize, Serialize};

/// Environment variable of the container that holds the order, as JSON.
pub const CLEANUP_ENV: &str = "DOCE_CLEANUP";

/// One image that no record names any more, as the operator writes it into the Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanupOrder {
    /// Repository that the image is in, `host[:port]/path`, without tag.
    pub repository: String,
    /// The registry of `repository` speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Digest of the image, `sha256:` and 64 hex digits.
    pub digest: String,
    /// Build key that the image was built for; the log of that build goes with it.
    pub key: String,
    /// Name of the Secret that is mounted below [`super::PUSH_SECRET_DIR`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<String>,
}

/// Tag of the log of a build: `log-` and 16 hex digits of the key.
#[must_use]
pub fn log_tag(key: &str) -> String {
    format!("log-{}", key.get(..16).unwrap_or(key))
}
