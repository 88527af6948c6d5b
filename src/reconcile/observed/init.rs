//! What is seen of Jobs that run an init command. Pure data.

use jiff::Timestamp;

use super::Trouble;

/// A Job that runs the init command of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitJob {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Number of the run: see [`crate::memory::ledger::InitRun`].
    pub number: u64,
    /// How far it is.
    pub state: InitState,
    /// Why its pod does not run, if Kubernetes says so.
    pub trouble: Option<Trouble>,
    /// When what Kubernetes says of a pod that does not run is taken for the end, because the Job's deadline is about to take it away.
    pub last_words: Option<Timestamp>,
}

/// How far an init command is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitState {
    /// Its pod runs or is being started.
    #[default]
    Running,
    /// It ended well.
    Done,
    /// It did not.
    Failed(InitFailure),
    /// The Job is being deleted, and its pod may still run.
    Ending,
}

/// How an init command failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitFailure {
    /// Why.
    pub trouble: Trouble,
    /// The end of what it printed.
    pub log: String,
    /// The cause is outside of the version: it may succeed as soon as that is gone.
    pub outside: bool,
    /// When it ended.
    pub at: Timestamp,
}

impl InitJob {
    /// Its pod may still do something.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, InitState::Running | InitState::Ending)
    }
}
