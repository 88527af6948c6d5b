//! A record: what is remembered of one version, immutable but for its image. Pure data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crd::init_command::InitCommand;
use crate::crd::run::Security;
pub use crate::crd::status::TriggerKind;

/// What is remembered of one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Name of the ControllerRevision.
    pub name: String,
    /// When the API server made it.
    pub created: Option<Timestamp>,
    /// The immutable part.
    pub facts: Facts,
    /// The image, once there is one.
    pub image: Option<ImageFact>,
}

/// The immutable part of a record (`data` of the ControllerRevision).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// Format of this data.
    pub format: u32,
    /// The version, 64 hex digits.
    pub version: String,
    /// The build key, 64 hex digits; none for a prebuilt image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the version is made from.
    pub source: SourceFact,
    /// What made somebody ask for it first; none in records of the first release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// How much its pods may do: with the user of its image, which is learned later, this makes their security context.
    #[serde(skip_serializing_if = "Security::is_auto")]
    pub security: Security,
    /// What has to end well before its pods start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_command: Option<InitCommand>,
    /// The pod template as it was rendered then, without the image: an upgrade of the operator restarts nobody.
    pub template: Value,
}

/// What made a version wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trigger {
    /// What somebody did.
    pub cause: TriggerKind,
    /// The field manager that did it, where the API server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a version is made from.
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
}

/// The image of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageFact {
    /// Reference by digest, as nodes pull it.
    pub reference: String,
    /// Numeric user of the image, where it was learned; 0 is root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// `os/architecture`; empty where it was not learned.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// TCP ports that the image exposes, ascending; it may listen on others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Its Dockerfile was written by us, so that it listens where PORT says, whatever it exposes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// First line of the commit's message, as the build read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit, as the build read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

impl Record {
    /// The image wants root where only "restricted" pods are let: it is never started.
    #[must_use]
    pub fn wants_root_in_vain(&self) -> bool {
        self.facts.security == Security::Restricted && self.user() == Some(0)
    }

    /// Numeric user of the image, where it was learned.
    #[must_use]
    pub fn user(&self) -> Option<i64> {
        self.image.as_ref().and_then(|image| image.uid)
    }

    /// What the version is made from, with what only the build could tell.
    #[must_use]
    pub fn source(&self) -> SourceFact {
        let told = self.image.clone().unwrap_or_default();
        let source = self.facts.source.clone();
        SourceFact {
            message: source.message.or(told.message),
            author: source.author.or(told.author),
            ..source
        }
    }
}
