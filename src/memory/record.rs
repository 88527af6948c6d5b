//! A record: the memory of one version, immutable except for its image. Pure data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crd::init_command::InitCommand;
use crate::crd::run::Security;
pub use crate::crd::status::TriggerKind;

/// The memory of one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Name of the ControllerRevision.
    pub name: String,
    /// When the API server created it.
    pub created: Option<Timestamp>,
    /// The immutable part.
    pub facts: Facts,
    /// The image, once it exists and while its registry has it.
    pub image: Option<ImageFact>,
    /// The image that is gone from its registry. The ledger says so: the object still names it.
    pub lost: Option<ImageFact>,
}

/// The immutable part of a record (`data` of the ControllerRevision).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// Format of this data.
    pub format: u32,
    /// The version, 64 hex digits.
    pub version: String,
    /// The build key, 64 hex digits; `None` for a prebuilt image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The source of the version.
    pub source: SourceFact,
    /// What caused it first; `None` in records of the first release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// What its pods may do. The security context follows from this and the user of the image, which is learned later.
    #[serde(skip_serializing_if = "Security::is_auto")]
    pub security: Security,
    /// The command that must succeed before its pods start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_command: Option<InitCommand>,
    /// The pod template as rendered at creation, without the image: an upgrade of the operator restarts no app.
    pub template: Value,
}

/// What caused a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trigger {
    /// The kind of cause.
    pub cause: TriggerKind,
    /// The field manager that caused it, if the API server reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The source of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceFact {
    /// Commit, content digest or image digest.
    pub digest: String,
    /// The ref as a person reads it.
    pub reference: String,
    /// First line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Git's committer date of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
}

/// The image of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageFact {
    /// Reference by digest, as nodes pull it.
    pub reference: String,
    /// Numeric user of the image, if known; 0 is root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// `os/architecture`; empty if not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// TCP ports that the image exposes, ascending; the app may listen on others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// The build generated its Dockerfile, so it listens on PORT, whatever it exposes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// First line of the commit's message, as the build read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit, as the build read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Git's committer date of the commit, as the build read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
}

impl Record {
    /// The image runs as root but `security` is `Restricted`: it never starts.
    #[must_use]
    pub fn wants_root_in_vain(&self) -> bool {
        self.facts.security == Security::Restricted && self.user() == Some(0)
    }

    /// The image that its pods name, also if it is gone.
    #[must_use]
    pub fn named_image(&self) -> Option<&ImageFact> {
        self.image.as_ref().or(self.lost.as_ref())
    }

    /// Numeric user of the image, if known.
    #[must_use]
    pub fn user(&self) -> Option<i64> {
        self.named_image().and_then(|image| image.uid)
    }

    /// The source of the version, with the facts that only the build learned.
    #[must_use]
    pub fn source(&self) -> SourceFact {
        let told = self.named_image().cloned().unwrap_or_default();
        let source = self.facts.source.clone();
        SourceFact {
            message: source.message.or(told.message),
            author: source.author.or(told.author),
            committed_at: source.committed_at.or(told.committed_at),
            ..source
        }
    }
}
