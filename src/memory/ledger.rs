//! The ledger: the only mutable memory of a project. Pure data. The operator writes it by compare-and-swap before the
//! act that it justifies, and never reads `status` instead.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crd::annotations::RequestKind;
use crate::crd::conditions::MAX_MESSAGE;
use crate::crd::status::TriggerKind;
use crate::memory::record::{SourceFact, Trigger};
use crate::protocol::report;
use crate::text::bounded;

/// Format of the ledger's text.
pub const FORMAT: u32 = 1;

/// The memory of one project besides its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// See [`FORMAT`].
    pub format: u32,
    /// The node port, kept from the first apply to the deletion, or until the spec asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The port that the project had before spec.expose.nodePort.mode None. It gets it again if it is still free. If it
    /// got another one, this says so to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_port: Option<u16>,
    /// The resourceVersion of the newest project object that a write of the ledger was based on. An older object makes
    /// no requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u64>,
    /// The last handled value of each request, and its outcome.
    #[serde(alias = "seen", skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<RequestKind, HandledRequest>,
    /// The lookup of a branch or tag, and its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// The last rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Builds by build key. A verdict here belongs to the key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub builds: BTreeMap<String, Attempts>,
    /// State of each version.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, VersionState>,
    /// The last run of an init command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<InitRun>,
    /// The last sequence number given to a version that went live.
    #[serde(alias = "last")]
    pub last_live: u64,
}

/// A handled request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandledRequest {
    /// Value of the annotation.
    pub value: String,
    /// Its outcome, for people.
    pub outcome: String,
    /// Earlier values, newest first. A tool that restores one of them, as tools such as Flux do, makes no new request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// Earlier values of one request that are kept besides the last.
const MAX_EARLIER: usize = 3;

/// A rollback: while the spec yields `left` and no version other than `target` has gone live since, `target` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The version that the spec yielded, or the lookup for it while that has no answer ([`Lookup::of`]).
    pub left: String,
    /// The version that runs instead.
    pub target: String,
    /// The sequence number at the time of the rollback, or of the version still in place that became Available later.
    pub since: u64,
}

/// The lookup of a branch or tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lookup {
    /// What is looked up (see [`crate::project::DigestSource::LookedUp`]).
    pub of: String,
    /// Number of the current lookup.
    pub number: u64,
    /// The last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// When the Job of the last answer ended, by Kubernetes' clock; only if the source has an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What caused lookup `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// Attempts at lookup `number`.
    pub attempts: Attempts,
}

impl Lookup {
    /// It is a poll, and the previous answer stays in use meanwhile.
    #[must_use]
    pub fn polls(&self) -> bool {
        self.trigger.as_ref().is_some_and(|trigger| trigger.cause == TriggerKind::Poll)
            && self.answer.is_some()
    }
}

/// What a branch or tag resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// The lookup that this answers.
    pub number: u64,
    /// The source that the lookup found.
    #[serde(flatten)]
    pub source: SourceFact,
}

/// Attempts at one build key or one lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// Number of the current attempt, part of the Job's name.
    pub attempt: u32,
    /// The verdict that the source does not build: nothing happens until a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// A person cancelled it: nothing happens until a retry.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The last fault; the operator retries with backoff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The image of this key that is gone from its registry, by digest. Builds before attempt `attempt` say nothing about
    /// the key any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// The last replacement of a lost image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
}

impl Attempts {
    /// The next attempt, without the failures before it.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            attempt: self.attempt + 1,
            lost: self.lost.clone(),
            replaced: self.replaced,
            ..Self::default()
        }
    }

    /// Drops the logs. Only the desired build keeps its log: the ledger must stay small.
    pub fn forget_logs(&mut self) {
        let failures = [self.failed.as_mut(), self.fault.as_mut().map(|fault| &mut fault.failure)];
        failures.into_iter().flatten().for_each(|failure| failure.log.clear());
    }
}

/// A lost image was built again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Replaced {
    /// How many times in a row: a registry may lose it again and again.
    pub count: u32,
    /// When the build ended, by Kubernetes' clock.
    pub at: Timestamp,
}

impl Replaced {
    /// Time from which another loss counts.
    #[must_use]
    pub fn next(&self, base: u32) -> Timestamp {
        Timestamp::from_second(self.at.as_second() + pause(self.count, base)).unwrap_or(self.at)
    }
}

/// A failure outside the version that may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Number of faults in a row.
    pub count: u32,
    /// How many of the last faults in a row have the reason of this one, beyond the first.
    #[serde(default, skip_serializing_if = "is_first")]
    pub alike: u32,
    /// When the Job ended, by Kubernetes' clock.
    pub at: Timestamp,
    /// The failure itself.
    pub failure: Failure,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_first(alike: &u32) -> bool {
    *alike == 0
}

impl Fault {
    /// Seconds between this fault and the next attempt.
    #[must_use]
    pub fn pause(&self, base: u32) -> i64 {
        pause(self.count, base)
    }

    /// Seconds until the next attempt, 0 if it is due.
    #[must_use]
    pub fn left(&self, base: u32, now: Timestamp) -> i64 {
        (self.at.as_second() + self.pause(base) - now.as_second()).max(0)
    }
}

/// Seconds to wait after fault number `count` in a row: `base`, doubled each time, at most ten minutes.
fn pause(count: u32, base: u32) -> i64 {
    let doublings = count.saturating_sub(1).min(10);
    (i64::from(base) << doublings).min(600)
}

/// Longest log tail in bytes.
const MAX_LOG: usize = 2048;

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// Resolve, Fetch, Verify, Detect, Build, Push, Init or Rollout.
    pub stage: String,
    /// One CamelCase word.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
    /// Last lines of the log.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
}

impl Failure {
    /// The stage of an init command.
    pub const INIT: &str = "Init";

    /// An init command failed, so no pod of its version started.
    #[must_use]
    pub fn is_of_init(&self) -> bool {
        self.stage == Self::INIT
    }
}

impl From<&report::Failed> for Failure {
    fn from(failed: &report::Failed) -> Self {
        Self {
            stage: format!("{:?}", failed.stage),
            reason: failed.reason.clone(),
            message: bounded(&failed.message, MAX_MESSAGE),
            log: bounded(&failed.log, MAX_LOG),
        }
    }
}

/// Retries of a version that failed for a cause outside of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outside {
    /// Number of such failures in a row.
    pub count: u32,
    /// When the last one happened, by Kubernetes' clock.
    pub at: Timestamp,
}

impl Outside {
    /// Time of the next retry.
    #[must_use]
    pub fn next(&self, base: u32) -> Timestamp {
        Timestamp::from_second(self.at.as_second() + pause(self.count, base)).unwrap_or(self.at)
    }
}

/// A run of an init command, recorded before its Job is created and open until its end is known. So no two run at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitRun {
    /// Number of the run, part of the Job's name.
    pub number: u64,
    /// The version.
    pub version: String,
    /// Its result is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// State of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionState {
    /// Sequence number of the last time that it went live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    /// The verdict. Only a retry lifts it, or the end of the backoff of `outside`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// Set if the cause of its last failure is outside of it; `None` once it was live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// Its init command succeeded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub initialized: bool,
    /// The last request that selected it again after its creation.
    #[serde(alias = "again", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// When it went live for the first time, by Kubernetes' clock.
    #[serde(alias = "ready", skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// The desired restart stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// The last restart stamp that became Available.
    #[serde(alias = "good", skip_serializing_if = "Option::is_none")]
    pub good_restart: Option<String>,
}

impl VersionState {
    /// When the operator retries it without a request.
    #[must_use]
    pub fn retry_at(&self, base: u32) -> Option<Timestamp> {
        self.failed.as_ref().and(self.outside.as_ref()).map(|outside| outside.next(base))
    }

    /// The desired restart has not become Available yet.
    #[must_use]
    pub fn restarting(&self) -> bool {
        self.restart != self.good_restart
    }
}

impl Ledger {
    /// The same with the port that the project now has. A former port is forgotten once it is taken back, or when the
    /// spec names a port.
    #[must_use]
    pub fn with_port(mut self, port: u16, is_fixed: bool) -> Self {
        self.port = Some(port);
        self.former_port = self.former_port.filter(|former| !is_fixed && *former != port);
        self
    }

    /// The same after the project gave its port back.
    #[must_use]
    pub fn without_port(mut self) -> Self {
        self.former_port = self.port.take().or(self.former_port);
        self
    }

    /// State of `version`; the default if there is none.
    #[must_use]
    pub fn state(&self, version: &str) -> VersionState {
        self.versions.get(version).cloned().unwrap_or_default()
    }

    /// Attempts at `key`; the default if there are none.
    #[must_use]
    pub fn attempts(&self, key: &str) -> Attempts {
        self.builds.get(key).cloned().unwrap_or_default()
    }

    /// Whether `value` of `verb` is not handled yet.
    #[must_use]
    pub fn is_new(&self, verb: RequestKind, value: &str) -> bool {
        let is_old = |seen: &HandledRequest| {
            seen.value == value || seen.earlier.iter().any(|earlier| earlier == value)
        };
        !self.handled.get(&verb).is_some_and(is_old)
    }

    /// Marks a request as handled, in the same write as its effect.
    #[must_use]
    pub fn with_handled(mut self, verb: RequestKind, value: &str, outcome: impl Into<String>) -> Self {
        let before = self.handled.remove(&verb).map(|seen| [vec![seen.value], seen.earlier].concat());
        let mut earlier = before.unwrap_or_default();
        earlier.retain(|earlier| earlier != value);
        earlier.truncate(MAX_EARLIER);
        self.handled
            .insert(verb, HandledRequest { value: value.to_owned(), outcome: outcome.into(), earlier });
        self
    }
}
