//! The ledger: the only mutable memory of a project. Pure data; it is written by compare-and-swap before the act that
//! it justifies, and `status` is never read instead of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crd::annotations::Verb;
use crate::crd::conditions::MAX_MESSAGE;
use crate::crd::status::TriggerKind;
use crate::memory::record::Trigger;
use crate::protocol::report;
use crate::text::bounded;

/// Format of the ledger's text.
pub const FORMAT: u32 = 1;

/// What is remembered of one project besides its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// See [`FORMAT`].
    pub format: u32,
    /// The node port, from first apply to delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The resourceVersion of the newest object that a write of this memory rested on: an older one makes no requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u64>,
    /// The last value of each request that was seen, and what became of it.
    #[serde(alias = "seen", skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<Verb, HandledRequest>,
    /// What a branch or tag was looked up to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// The last rollback that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// By build key: how building went. A verdict here belongs to the key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub builds: BTreeMap<String, Attempts>,
    /// By version: how running went.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, VersionState>,
    /// The init command that was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<InitRun>,
    /// The last running number given to a version that went live.
    #[serde(alias = "last")]
    pub last_live: u64,
}

/// A request that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandledRequest {
    /// Value of the annotation.
    pub value: String,
    /// What became of it, for a person.
    pub outcome: String,
    /// The values before it, newest first: who puts one of them back, as tools that follow a repository do, wishes for
    /// nothing new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// Earlier values of one request that are remembered beside the last.
const MAX_EARLIER: usize = 3;

/// A rollback: while the spec asks for `left` and no version other than `target` has gone live since, `target` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The version that the spec asked for or, until it is answered, the lookup that was to tell it ([`Lookup::of`]).
    pub left: String,
    /// The version that runs instead.
    pub target: String,
    /// The running number at that time, or that of what was in place still and was Available only then.
    pub since: u64,
}

/// The looking-up of a branch or tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lookup {
    /// What is looked up (see [`crate::project::Origin::LookedUp`]).
    pub of: String,
    /// Counts the times that somebody wished it looked up.
    pub number: u64,
    /// What came out last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// When the Job of the last answer ended, by Kubernetes' clock; only where the source has an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What made somebody wish for `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// How asking for `number` goes.
    pub attempts: Attempts,
}

impl Lookup {
    /// Nobody asked for it but the clock, and the answer before stands meanwhile.
    #[must_use]
    pub fn polls(&self) -> bool {
        self.trigger.as_ref().is_some_and(|trigger| trigger.cause == TriggerKind::Poll)
            && self.answer.is_some()
    }
}

/// What a branch or tag was at the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// The lookup that this answers.
    pub number: u64,
    /// Commit or image digest.
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

/// How building one key, or one lookup, goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// Number of the attempt that is due: part of the Job's name.
    pub attempt: u32,
    /// The source does not build: nothing happens until a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// A person ended it: nothing happens until a retry.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The last fault, which is tried again after a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl Attempts {
    /// Only the build that is asked for keeps its last words: the ledger must stay small.
    pub fn forget_logs(&mut self) {
        let failures = [self.failed.as_mut(), self.fault.as_mut().map(|fault| &mut fault.failure)];
        failures.into_iter().flatten().for_each(|failure| failure.log.clear());
    }
}

/// Something that may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// How many came in a row.
    pub count: u32,
    /// When the Job ended, by Kubernetes' clock.
    pub at: Timestamp,
    /// What it was.
    pub failure: Failure,
}

impl Fault {
    /// Seconds between this fault and the next attempt.
    #[must_use]
    pub fn pause(&self, base: u32) -> i64 {
        pause(self.count, base)
    }

    /// Seconds left of the pause.
    #[must_use]
    pub fn left(&self, base: u32, now: Timestamp) -> i64 {
        (self.at.as_second() + self.pause(base) - now.as_second()).max(0)
    }
}

/// Seconds after the fault that was number `count` in a row: they grow from `base`, doubled each time, to ten minutes.
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
    /// One word.
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

    /// An init command failed, so that no pod of its version was started.
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

/// A version that failed for a cause outside of it, and is tried again after a pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outside {
    /// How often in a row.
    pub count: u32,
    /// When its deadline was over, by Kubernetes' clock.
    pub at: Timestamp,
}

impl Outside {
    /// When it is tried again.
    #[must_use]
    pub fn next(&self, base: u32) -> Timestamp {
        Timestamp::from_second(self.at.as_second() + pause(self.count, base)).unwrap_or(self.at)
    }
}

/// A run of an init command. It is noted before its Job is made and until its end is known: no two run at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitRun {
    /// Counts the runs: part of the Job's name.
    pub number: u64,
    /// The version.
    pub version: String,
    /// How it ended is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// How running a version went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionState {
    /// Running number of the last time that it went live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    /// The verdict that only a retry lifts, or the end of the pause of `outside`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// The cause of its last failure is outside of it; none once it was live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// Its init command ended well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub initialized: bool,
    /// The request that asked for it again, after it was first made.
    #[serde(alias = "again", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// When it went live for the first time, by Kubernetes' clock.
    #[serde(alias = "ready", skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// The restart stamp that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// The last restart stamp that became Available.
    #[serde(alias = "good", skip_serializing_if = "Option::is_none")]
    pub good_restart: Option<String>,
}

impl VersionState {
    /// When it is tried again by itself.
    #[must_use]
    pub fn tried_again_at(&self, base: u32) -> Option<Timestamp> {
        self.failed.as_ref().and(self.outside.as_ref()).map(|outside| outside.next(base))
    }

    /// A restart was asked for that has not become Available yet.
    #[must_use]
    pub fn restarting(&self) -> bool {
        self.restart != self.good_restart
    }
}

impl Ledger {
    /// How running `version` went; the default where nothing is remembered.
    #[must_use]
    pub fn life(&self, version: &str) -> VersionState {
        self.versions.get(version).cloned().unwrap_or_default()
    }

    /// How building `key` goes; the default where nothing is remembered.
    #[must_use]
    pub fn attempts(&self, key: &str) -> Attempts {
        self.builds.get(key).cloned().unwrap_or_default()
    }

    /// Whether `value` of `verb` has not been seen yet.
    #[must_use]
    pub fn is_new(&self, verb: Verb, value: &str) -> bool {
        let is_old = |seen: &HandledRequest| {
            seen.value == value || seen.earlier.iter().any(|earlier| earlier == value)
        };
        !self.handled.get(&verb).is_some_and(is_old)
    }

    /// Marks a request as seen, in the same write as its effect.
    #[must_use]
    pub fn with_handled(mut self, verb: Verb, value: &str, outcome: impl Into<String>) -> Self {
        let before = self.handled.remove(&verb).map(|seen| [vec![seen.value], seen.earlier].concat());
        let mut earlier = before.unwrap_or_default();
        earlier.retain(|earlier| earlier != value);
        earlier.truncate(MAX_EARLIER);
        self.handled
            .insert(verb, HandledRequest { value: value.to_owned(), outcome: outcome.into(), earlier });
        self
    }
}
