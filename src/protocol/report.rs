//! What a build pod says at its end, as the container's termination message. The operator reads nothing else of it.

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// Longest report in bytes: the kubelet cuts termination messages at 4,096.
pub const MAX_BYTES: usize = 4000;

/// Exit code of the build container for a fault that may pass (network, registry): the Job tries again.
pub const EXIT_FAULT: i32 = 75;

/// Exit code of the build container for the user's error: the Job fails at once.
pub const EXIT_VERDICT: i32 = 1;

/// Seconds at the end of the Job's deadline that are for telling how the build ended, before the Job controller deletes the
/// pod and its words.
pub const LAST_WORDS_SECONDS: u64 = 30;

/// The outcome of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// There is an image.
    Built(Built),
    /// There is none.
    Failed(Failed),
}

/// An image and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Built {
    /// Manifest digest, `sha256:` and 64 hex digits.
    pub digest: String,
    /// Build key that the image belongs to; empty for a prebuilt image.
    pub key: String,
    /// Digest of the source (a commit, a content digest, an image digest).
    pub source: String,
    /// First line of the commit's message, at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit, `name <mail>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Numeric user of the image; 0 is root; unset when it could not be learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// `os/architecture` of the image.
    pub platform: String,
    /// TCP ports that the image exposes.
    pub ports: Vec<u16>,
    /// What was detected or used: `Dockerfile`, `Static`, `Node`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The key was in the registry already: nothing was built.
    pub reused: bool,
    /// Steps of the Dockerfile that the image needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Those of them that the cache answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u32>,
    /// Reference of the artifact that the log is kept as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_reference: Option<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Where it happened.
    pub stage: Stage,
    /// One CamelCase word.
    pub reason: String,
    /// What happened and what to do, for a person.
    pub message: String,
    /// Last lines of the log, at most 2 KiB, control characters removed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Build key, where it was known by then: a verdict belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Digest of the source, where it was known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// First line of the commit's message, where it was known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Author of the commit, where known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Reference of the artifact that the log is kept as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_reference: Option<String>,
}

impl Built {
    /// Its Dockerfile was written by us.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.framework.as_deref().is_some_and(|framework| framework != "Dockerfile")
    }
}

impl Report {
    /// The same, with the place where its log is kept.
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
        self.stage.is_verdict() && !Reason::FAULTS.iter().any(|fault| fault.to_string() == self.reason)
    }
}

/// The stages of a build, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Ref to commit, tag to digest.
    Resolve,
    /// Source into the pod.
    Fetch,
    /// Source is what was asked for.
    Verify,
    /// Framework and Dockerfile.
    Detect,
    /// Image made.
    Build,
    /// Image in the registry.
    Push,
}

impl Stage {
    /// A verdict belongs to the build key and is not tried again by itself; anything else is a fault that may pass.
    #[must_use]
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Verify | Self::Detect | Self::Build)
    }
}
