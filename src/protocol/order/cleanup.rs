//! The order of a cleanup pod: which image it must delete. It contains no secret.

use serde::{Deserialize, Serialize};

/// Environment variable of the container that holds the order, as JSON.
pub const CLEANUP_ENV: &str = "DOCE_CLEANUP";

/// One image that no record names any more, as the operator writes it into the Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanupOrder {
    /// Repository of the image, `host[:port]/path`, without tag.
    pub repository: String,
    /// The registry of `repository` speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Digest of the image, `sha256:` and 64 hex digits.
    pub digest: String,
    /// Build key of the image; the log of that build is deleted with it.
    pub key: String,
    /// Name of the Secret that is mounted at [`super::PUSH_SECRET_DIR`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<String>,
}

/// What build pods and the CLI push, distinguished by tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// An image: `k` and 40 hex digits of its build key.
    Image,
    /// The build cache of the repository: `cache`.
    Cache,
    /// The log of a build: `log-` and 16 hex digits, as [`log_tag`] writes it.
    Log,
    /// The folder of a person, pushed at this time in seconds since 1970: `source-` and the time, as [`source_tag`] writes
    /// it.
    Source(i64),
}

/// The kind of manifest behind a tag; `None` if a person or another program created the tag. Every new kind of tag must be added here, or its images are never deleted.
#[must_use]
pub fn pushed(tag: &str) -> Option<Pushed> {
    let is_hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if tag == "cache" {
        Some(Pushed::Cache)
    } else if tag.strip_prefix("log-").is_some_and(|key| is_hex(key, 16)) {
        Some(Pushed::Log)
    } else if let Some(digits) = tag.strip_prefix("source-") {
        let is_time = (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_time).map(Pushed::Source)
    } else {
        tag.strip_prefix('k').filter(|key| is_hex(key, 40)).map(|_| Pushed::Image)
    }
}

/// Tag of the log of a build: `log-` and 16 hex digits of the key.
#[must_use]
pub fn log_tag(key: &str) -> String {
    format!("log-{}", key.get(..16).unwrap_or(key))
}

/// Tag of a folder that is pushed at this time, in seconds since 1970. Each push of the same folder makes a new one.
#[must_use]
pub fn source_tag(seconds: i64) -> String {
    format!("source-{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_created_by_a_build_belong_to_the_operator() {
        let key = "0123456789abcdef".repeat(4);
        let image = format!("k{}", &key[..40]);
        for (tag, is) in [
            (image, Pushed::Image),
            ("cache".to_owned(), Pushed::Cache),
            (log_tag(&key), Pushed::Log),
            (source_tag(1_764_530_000), Pushed::Source(1_764_530_000)),
        ] {
            assert_eq!(pushed(&tag), Some(is), "{tag}");
        }
        for tag in [
            "log-viewer",
            "log-",
            "log-1",
            "log-0123456789abcdeg",
            "log-0123456789abcdef0",
            "log-0123456789abcdef-debug",
            "cache-2",
            "source-",
            "source-1a",
            "source-code",
            "source--1",
            "source-1234567890123",
            "k1",
            "kubectl",
            "latest",
            "",
        ] {
            assert_eq!(pushed(tag), None, "{tag}");
        }
    }
}
