//! What can be seen of one project: facts read off the children, no thought. Pure: no client, no clock of its own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cluster::preconditions::Preconditions;
use crate::crd::conditions::MAX_MESSAGE;
use crate::image_cleanup::observed::Cleanups;
use crate::memory::ledger::{Failure, Ledger};
use crate::memory::record::{ImageFact, Record};
use crate::protocol::report;
use crate::protocol::target::BuildOf;
use crate::text::bounded;

pub mod init;
mod refusal;

pub use refusal::{Child, Refusal, RefusalReason};

/// Everything that one pass sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// When the pass began; compared with the timestamps of objects, never remembered.
    pub now: Timestamp,
    /// The memory, if there is one yet.
    pub ledger: Option<Ledger>,
    /// The memory is that of a project of this name which is gone and left it behind.
    pub inherits: bool,
    /// The object that holds the memory, at this look.
    pub ledger_preconditions: Option<Preconditions>,
    /// The records by version.
    pub records: BTreeMap<String, Record>,
    /// The build Jobs.
    pub jobs: Vec<BuildJob>,
    /// The Jobs that run an init command.
    pub inits: Vec<init::InitJob>,
    /// What may have to go from registries outside the platform's.
    pub cleanups: Cleanups,
    /// Place in the queue of the one that waits, if one does: 1 is next.
    pub position: Option<u32>,
    /// The Deployment.
    pub rollout: Option<Rollout>,
    /// The Deployment's ReplicaSets.
    pub sets: Vec<Set>,
    /// The Service.
    pub service: Option<Service>,
    /// The ConfigMap that the spec names as source.
    pub config_map: ConfigMap,
    /// Children of a deleted namesake, `kind/name`: wait until they are gone.
    pub predecessors: Vec<String>,
    /// Ledger, records and Jobs that somebody took a label or the owner from.
    pub unmarked: Vec<Unmarked>,
    /// Children of which the API server or another owner refused a write in this pass.
    pub refusals: Vec<Refusal>,
    /// Seconds of the first pause after a fault.
    pub retry_base: u32,
    /// Repository that nodes pull this project's images from, without tag.
    pub repository: String,
}

/// A child of ours that somebody took a label or the owner from: nothing would delete it with the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmarked {
    /// The ledger, a record, a build Job or the Deployment.
    pub child: Child,
    /// Its name.
    pub name: String,
}

/// The content of the ConfigMap that is the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigMap {
    /// The source is something else.
    #[default]
    NotAsked,
    /// There is none of that name.
    Missing,
    /// Digest of its content.
    Digest(String),
}

/// A build Job.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildJob {
    /// Name of the Job: the build's id.
    pub name: String,
    /// What it builds.
    pub of: BuildOf,
    /// Which attempt at it.
    pub attempt: u32,
    /// Why somebody wanted it.
    pub reason: String,
    /// How far it is.
    pub state: JobState,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When its pod must have said how it ended, because the Job's deadline is about to take it away.
    pub last_words: Option<Timestamp>,
    /// Why its pod does not run, if Kubernetes says so.
    pub trouble: Option<Trouble>,
}

/// How far a Job is.
#[derive(Clone, Debug, PartialEq)]
pub enum JobState {
    /// Suspended: it waits for its turn.
    Queued,
    /// Its pod runs or is being started.
    Running,
    /// It ended with an image.
    Built(report::Built),
    /// It ended with a report of failure.
    Failed(report::Failed),
    /// It ended without a report, or its time is nearly over and its pod does not run: what is known of why.
    Lost(Trouble),
    /// It is being deleted.
    Ending,
}

impl JobState {
    /// Neither ended nor ending.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Where its log is kept.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Built(built) => built.log_reference.as_deref(),
            Self::Failed(failed) => failed.log_reference.as_deref(),
            _ => None,
        }
    }
}

/// The Deployment.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, read off another field")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// Version of the pod template; none if somebody removed it.
    pub version: Option<String>,
    /// Restart stamp of the pod template.
    pub stamp: Option<String>,
    /// Pods that its spec asks for.
    pub replicas: i32,
    /// Pods there are.
    pub pods: i32,
    /// Pods of this template among them.
    pub updated: i32,
    /// Pods of this template that are not ready though they are not new, or that cannot start or be made.
    pub ailing: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub serving: i32,
    /// The template, and all else that we set but replicas, is as it should be for that version and stamp.
    pub faithful: bool,
    /// Its status is about its newest generation. Where not, nothing of the status below counts.
    pub current: bool,
    /// Every pod is of this template and has been ready for `minReadySeconds`.
    pub available: bool,
    /// It was available in this template before, or at 0 replicas: Kubernetes sets it no deadline any more.
    pub completed: bool,
    /// When it was.
    pub completed_at: Option<Timestamp>,
    /// The progress deadline of this template is over.
    pub deadline_over: bool,
    /// When it was.
    pub deadline_at: Option<Timestamp>,
    /// Why it can never become available, if that is certain.
    pub hopeless: Option<Trouble>,
    /// Why its pods are not ready, if Kubernetes says so.
    pub trouble: Option<Trouble>,
    /// The cause of that is outside of the version: it may start as soon as that is gone.
    pub outside: bool,
    /// The end of what the app said before it ended, for a person.
    pub log: String,
    /// When more can be said of a pod that has only just begun.
    pub speaks_at: Option<Timestamp>,
}

/// What keeps pods from being ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// One CamelCase word, mostly Kubernetes' own.
    pub reason: String,
    /// For a person.
    pub message: String,
}

impl From<&Trouble> for Failure {
    /// A build whose pod did not run or could not speak for itself.
    fn from(trouble: &Trouble) -> Self {
        Self {
            stage: "Build".to_owned(),
            reason: trouble.reason.clone(),
            message: bounded(&trouble.message, MAX_MESSAGE),
            log: String::new(),
        }
    }
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// Version of its pod template.
    pub version: Option<String>,
    /// Restart stamp of its pod template.
    pub stamp: Option<String>,
    /// Pods that it has or should have.
    pub pods: i32,
    /// It has the template that the Deployment has now.
    pub current: bool,
    /// Its template is the recorded one, not one that somebody edited.
    pub faithful: bool,
    /// Counts the templates that the Deployment has had: the greatest is the newest.
    pub revision: u64,
}

/// The Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its node port.
    pub port: Option<u16>,
    /// All that we set is as it should be, whatever the port.
    pub faithful: bool,
}

impl Observed {
    /// Whether a write to `child` was refused in this pass.
    #[must_use]
    pub fn refused(&self, child: Child) -> bool {
        self.refusals.iter().any(|refusal| refusal.child == child)
    }

    /// The image of a build key: a record has it, or a Job that has just ended reports it.
    #[must_use]
    pub fn image_of(&self, key: &str) -> Option<ImageFact> {
        let of_key = |record: &&Record| record.facts.key.as_deref() == Some(key);
        let recorded = self.records.values().filter(of_key).find_map(|record| record.image.clone());
        recorded.or_else(|| self.reports().find(|built| built.key == key).map(|built| self.image(built)))
    }

    /// What the Jobs that ended with an image say.
    pub fn reports(&self) -> impl Iterator<Item = &report::Built> {
        self.jobs.iter().filter_map(|job| match &job.state {
            JobState::Built(built) => Some(built),
            _ => None,
        })
    }

    fn image(&self, built: &report::Built) -> ImageFact {
        ImageFact {
            reference: format!("{}@{}", self.repository, built.digest),
            uid: built.uid,
            platform: built.platform.clone(),
            ports: built.ports.clone(),
            generated: built.is_generated(),
            message: built.message.clone(),
            author: built.author.clone(),
        }
    }
}
