//! What became of a version: how far it came, why it failed, what caused it last. Pure. `status.history`, the CLI and the HTTP API
//! say the same.

use serde::{Deserialize, Serialize};

use super::ledger::{Failure, Ledger};
use super::record::{Record, Trigger};
use crate::crd::conditions::Reason;

/// How far a version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It has no image yet.
    Building,
    /// It has an image and was never live.
    Built,
    /// It serves.
    Serving,
    /// It was live before.
    Live,
    /// Its build, its init command or its rollout failed.
    Failed,
    /// A person cancelled its build.
    Cancelled,
}

impl State {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Building => "Building",
            Self::Built => "Built",
            Self::Serving => "Serving",
            Self::Live => "Live",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// What became of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How far it came.
    pub state: State,
    /// Why it failed, in one word.
    pub reason: Option<String>,
    /// The verdict.
    pub failed: Option<Failure>,
    /// What caused it last.
    pub trigger: Option<Trigger>,
    /// Seconds from its record to its first time live: queue, build and rollout together.
    pub seconds: Option<i64>,
}

impl Outcome {
    /// What became of the version of this record, of which `serves` says whether it serves now.
    #[must_use]
    pub fn of(record: &Record, ledger: &Ledger, serves: bool) -> Self {
        let life = ledger.state(&record.facts.version);
        let attempts = record.facts.key.as_deref().map(|key| ledger.attempts(key)).unwrap_or_default();
        let no_image = record.named_image().is_none();
        let refused = record.wants_root_in_vain();
        let state = match () {
            () if no_image && attempts.cancelled => State::Cancelled,
            () if no_image && attempts.failed.is_some() || life.failed.is_some() || refused => State::Failed,
            () if no_image => State::Building,
            () if serves && life.live.is_some() => State::Serving,
            () if life.live.is_some() => State::Live,
            () => State::Built,
        };
        let failed = life.failed.or_else(|| attempts.failed.filter(|_| no_image));
        let reason = failed
            .as_ref()
            .map(|failed| failed.reason.clone())
            .or_else(|| refused.then(|| Reason::ImageRunsAsRoot.name().to_owned()))
            .or_else(|| record.lost.as_ref().map(|_| Reason::ImageLost.name().to_owned()));
        let trigger = life.trigger.or_else(|| record.facts.trigger.clone());
        let seconds = record.created.zip(life.ready_at).map(|(from, to)| to.as_second() - from.as_second());
        Self { state, reason, failed, trigger, seconds }
    }
}
