//! The report of a build pod, in the container's termination message. The operator reads nothing else from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::FailureReason;

/// Longest report in bytes: the kubelet truncates termination messages at 4,096.
pub const MAX_BYTES: usize = 4000;

/// Exit code of the build container for a fault that may pass (network, registry): the operator tries again.
pub const EXIT_FAULT: i32 = 75;

/// Exit code of the build container for the user's error: the Job fails at once.
pub const EXIT_VERDICT: i32 = 1;

/// Seconds before the Job's deadline that are reserved for the report, before the Job controller deletes the pod and
/// its termination message.
pub const LAST_WORDS_SECONDS: u64 = 30;

/// The result of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// The build produced or found an image.
    Built(Built),
    /// The build failed.
    Failed(Failed),
}

/// An image and its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Built {
    /// Manifest digest, `sha256:` and 64 hex digits.
    pub digest: String,
    /// Build key of the image; empty for a prebuilt image.
    pub key: String,
    /// Digest of the source (a commit, a content digest, an image digest).
    pub source: String,
    /// First line of the commit's message, at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit, `name <mail>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Git's committer date of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Numeric user of the image, 0 is root; unset if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// `os/architecture` of the image.
    pub platform: String,
    /// TCP ports that the image exposes.
    pub ports: Vec<u16>,
    /// What was detected or used, for example `Dockerfile`, `Static` or `Node`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The registry already had the key: nothing was built.
    pub reused: bool,
    /// Steps of the Dockerfile that the image needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Number of those steps that came from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u32>,
    /// Reference of the artifact that contains the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_reference: Option<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The stage that failed.
    pub stage: Stage,
    /// One CamelCase word.
    pub reason: String,
    /// What happened and what to do, for people.
    pub message: String,
    /// Last lines of the log, at most 2 KiB, control characters removed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Build key, if already known: a verdict belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Digest of the source, if already known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// First line of the commit's message, if already known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Author of the commit, if already known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Git's committer date of the commit, if already known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Reference of the artifact that contains the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_reference: Option<String>,
}

impl Built {
    /// The build generated its Dockerfile.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.framework.as_deref().is_some_and(|framework| framework != "Dockerfile")
    }
}

impl Report {
    /// The same report with the reference of its log.
    #[must_use]
    pub fn with_log(mut self, reference: Option<String>) -> Self {
        match &mut self {
            Self::Built(built) => built.log_reference = reference,
            Self::Failed(failed) => failed.log_reference = reference,
        }
        self
    }
}

impl Failed {
    /// Whether this belongs to the build key (the user's error); otherwise it is a fault that may pass.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        self.stage.is_verdict() && !FailureReason::FAULTS.iter().any(|fault| fault.to_string() == self.reason)
    }
}

/// The stages of a build, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Resolves a ref to a commit, a tag to a digest.
    Resolve,
    /// Fetches the source into the pod.
    Fetch,
    /// Checks that the source is the requested one.
    Verify,
    /// Detects the framework and writes the Dockerfile.
    Detect,
    /// Builds the image.
    Build,
    /// Pushes the image to the registry.
    Push,
}

impl Stage {
    /// Whether a failure is a verdict: it belongs to the build key and is not retried. Anything else is a fault that
    /// may pass.
    #[must_use]
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Verify | Self::Detect | Self::Build)
    }
}
