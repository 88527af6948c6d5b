//! Observed Jobs that run an init command. Pure data.

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
    /// Its state.
    pub state: InitState,
    /// Why its pod does not run, if Kubernetes reports it.
    pub trouble: Option<Trouble>,
    /// When the operator takes `trouble` as the result, because the Job's deadline is about to delete the pod.
    pub cutoff: Option<Timestamp>,
}

/// State of an init command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitState {
    /// Its pod runs or is being started.
    #[default]
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed(InitFailure),
    /// The Job is being deleted, and its pod may still run.
    Ending,
}

/// How an init command failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitFailure {
    /// The cause.
    pub trouble: Trouble,
    /// The last lines of its output.
    pub log: String,
    /// The cause is outside of the version: the command may succeed once it is gone.
    pub outside: bool,
    /// When it ended.
    pub at: Timestamp,
}

impl InitJob {
    /// Its pod may still run.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, InitState::Running | InitState::Ending)
    }
}
