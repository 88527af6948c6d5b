//! The versions of a project: who made each, from what and how, how long it took, how it ended, and whether a rollback
//! to it is possible now. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::progress::{condition, is_true};
use super::remembered::Remembered;
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::crd::status::TriggerKind;
use crate::memory::outcome::Outcome;
pub use crate::memory::outcome::State;
use crate::memory::record::{Record, SourceFact};
use crate::project::{DigestSource, Project};
use crate::reconcile::observed::{ConfigMap, Observed};
use crate::reconcile::target::{forbidden, previous, rebuildable};
use crate::version::{revision, short};

/// One version of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its name, such as `v9f2c41d7`.
    pub version: String,
    /// The whole hash, 64 hex digits.
    pub hash: String,
    /// How far it came.
    pub state: State,
    /// What it was made from.
    pub source: Source,
    /// Its image by digest, once it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What caused it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerKind>,
    /// The field manager that caused it, if the API server reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the operator first saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it first became live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// Seconds between the two: queue, build and rollout together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Why it failed, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether a rollback to it is possible now.
    pub rollback: Rollback,
}

/// What a version was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Commit, content digest or image digest.
    pub digest: String,
    /// Branch, tag or commit, as in the spec.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
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

impl From<SourceFact> for Source {
    fn from(fact: SourceFact) -> Self {
        Self {
            digest: revision(&fact.digest).to_owned(),
            reference: Some(fact.reference).filter(|reference| !reference.is_empty()),
            message: fact.message,
            author: fact.author,
            committed_at: fact.committed_at,
        }
    }
}

impl Source {
    /// The first characters of the digest, as people name a commit.
    #[must_use]
    pub fn short_digest(&self) -> &str {
        let digest = self.digest.strip_prefix("sha256:").unwrap_or(&self.digest);
        digest.get(..7).unwrap_or(digest)
    }
}

/// Whether a rollback to a version is possible now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// The operator accepts it.
    pub possible: bool,
    /// It accepts it only together with a retry, because the version failed before.
    pub needs_retry: bool,
    /// It takes a build, because the image does not exist or is gone from its registry.
    pub needs_build: bool,
    /// Why it is not possible, or what it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Rollback {
    fn no(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::default() }
    }

    fn yes() -> Self {
        Self { possible: true, ..Self::default() }
    }
}

/// The versions of a project, newest first.
#[must_use]
pub fn versions(object: &ProjectDeployment, remembered: &Remembered) -> Vec<Version> {
    let observed = observed(remembered);
    remembered.newest_first().into_iter().map(|record| seen(object, &observed, remembered, record)).collect()
}

/// The version that a rollback to `previous` gets, as the operator says: only it knows which version is in place. It names
/// none whose image is gone for good.
#[must_use]
pub fn previous_version(object: &ProjectDeployment, remembered: &Remembered) -> Option<String> {
    let status = object.status.as_ref()?;
    if let Some(name) = &status.previous_version {
        return remembered.records.keys().find(|version| short(version) == *name).cloned();
    }
    status.condition("RollbackAvailable").filter(|found| found.reason == Reason::ImageLost.name())?;
    let serves = serving(object);
    let but = remembered.records.keys().find(|version| Some(short(version).as_str()) == serves);
    previous(&remembered.ledger, &observed(remembered), but.map(String::as_str))
}

/// The version to offer to a person who has named none. While a rollback holds, there is none: the version that was live before
/// is the one that the person left.
#[must_use]
pub fn offered(object: &ProjectDeployment, remembered: &Remembered) -> Option<Version> {
    let hash = previous_version(object, remembered).filter(|_| remembered.ledger.hold.is_none())?;
    let found = version(object, remembered, remembered.records.get(&hash)?);
    found.rollback.possible.then_some(found)
}

/// One version of a project.
#[must_use]
pub fn version(object: &ProjectDeployment, remembered: &Remembered, record: &Record) -> Version {
    seen(object, &observed(remembered), remembered, record)
}

/// The same of one of many: `observed` is that of the whole project.
fn seen(
    object: &ProjectDeployment,
    observed: &Observed,
    remembered: &Remembered,
    record: &Record,
) -> Version {
    let hash = &record.facts.version;
    let serves = serving(object) == Some(&short(hash));
    let Outcome { state, reason, failed, trigger, seconds } = Outcome::of(record, &remembered.ledger, serves);
    Version {
        version: short(hash),
        hash: hash.clone(),
        state,
        source: record.source().into(),
        image: record.image.as_ref().map(|image| image.reference.clone()),
        trigger: trigger.as_ref().map(|trigger| trigger.cause),
        by: trigger.and_then(|trigger| trigger.by),
        created_at: record.created,
        ready_at: remembered.ledger.versions.get(hash).and_then(|life| life.ready_at),
        duration_seconds: seconds,
        reason,
        message: failed.map(|failed| failed.message),
        rollback: rollback(object, observed, remembered, record),
    }
}

/// The version that serves, in its short form.
fn serving(object: &ProjectDeployment) -> Option<&str> {
    object.status.as_ref()?.version.as_deref()
}

fn observed(remembered: &Remembered) -> Observed {
    Observed {
        records: remembered.records.clone(),
        ledger: Some(remembered.ledger.clone()),
        ..Observed::default()
    }
}

/// Whether the operator would accept a rollback to this version now, and why not. The rules are those of
/// `reconcile::decide`.
fn rollback(
    object: &ProjectDeployment,
    observed: &Observed,
    remembered: &Remembered,
    record: &Record,
) -> Rollback {
    let status = object.status.as_ref();
    let (hash, name) = (&record.facts.version, short(&record.facts.version));
    if is_true(object, "Ready") && serving(object) == Some(&name) {
        return Rollback::no("it serves");
    }
    if let Some(why) = forbidden(observed, hash) {
        return Rollback::no(why);
    }
    if let Some(unresolved) = condition(object, "RollbackAvailable")
        .filter(|available| available.status == "False" && available.reason == Reason::NothingYet.name())
    {
        return Rollback::no(unresolved.message.clone());
    }
    let key = record.facts.key.as_deref();
    let attempts = key.map(|key| remembered.ledger.attempts(key)).unwrap_or_default();
    let failed = remembered.ledger.state(hash).failed;
    if record.lost.is_some() {
        let failed = failed.or(attempts.failed).map(|failed| failed.reason);
        let offered = status.and_then(|status| status.previous_version.as_ref()) == Some(&name);
        return lost(failed.as_deref(), again(object, observed, record, offered));
    }
    if let Some(failed) = failed {
        return Rollback {
            needs_retry: true,
            ..Rollback::no(format!("it failed before ({})", failed.reason))
        };
    }
    if record.image.is_some() {
        return Rollback::yes();
    }
    let held = condition(object, "Ready").is_some_and(|ready| ready.reason == Reason::Held.name());
    let desired = status.and_then(|status| status.desired_version.as_deref());
    let of_spec = held && desired == Some(&name);
    match (of_spec, attempts.failed) {
        (true, None) => Rollback {
            needs_build: true,
            why: Some("it has no image yet, so it is built first".to_owned()),
            ..Rollback::yes()
        },
        (true, Some(failed)) => Rollback {
            needs_retry: true,
            needs_build: true,
            ..Rollback::no(format!("its build failed before ({})", failed.reason))
        },
        (false, Some(failed)) => {
            Rollback::no(format!("it has no image: its build failed ({})", failed.reason))
        }
        (false, None) => Rollback::no("it has no image yet"),
    }
}

/// Whether the image of a version can be built again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Yes,
    No,
    /// It depends on the content of a ConfigMap, which the operator reads.
    Unknown,
}

/// Whether the image of this record, which is gone, can be built again. The operator offers only versions that can.
fn again(object: &ProjectDeployment, observed: &Observed, record: &Record, offered: bool) -> Again {
    let Ok(project) = Project::parse(object) else { return Again::No };
    // If the content were the same: would it be built again?
    let config_map = ConfigMap::Digest(record.facts.source.digest.clone());
    let same = Observed { config_map, ..observed.clone() };
    match (rebuildable(&project, &same, record), project.origin()) {
        (false, _) => Again::No,
        (true, DigestSource::ConfigMap(_)) if !offered => Again::Unknown,
        (true, _) => Again::Yes,
    }
}

/// A rollback to a version whose image is gone from its registry.
fn lost(failed: Option<&str>, again: Again) -> Rollback {
    let why = "its image is gone from its registry";
    let (needs_build, what) = match again {
        Again::Yes => (true, "so it is built again first"),
        Again::Unknown => (
            true,
            "and is built again if the ConfigMap still has the same content, which only the operator can tell",
        ),
        Again::No => {
            let what = "and spec.source or spec.build has changed since. Push the image again first";
            return Rollback { needs_retry: true, ..Rollback::no(format!("{why}, {what}")) };
        }
    };
    match failed {
        Some(reason) => Rollback {
            needs_build,
            needs_retry: true,
            ..Rollback::no(format!("it failed before ({reason}), and {why}"))
        },
        None => Rollback { needs_build, why: Some(format!("{why}, {what}")), ..Rollback::yes() },
    }
}

#[cfg(test)]
#[path = "versions/tests.rs"]
mod tests;
