//! What one pass observes of a project: plain facts about its children. Pure: no client, no clock of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::crd::conditions::MAX_MESSAGE;
use crate::image_cleanup::observed::Cleanups;
use crate::memory::ledger::{Failure, Ledger};
use crate::memory::record::{ImageFact, Record};
use crate::protocol::build_target::BuildTarget;
use crate::protocol::report;
use crate::text::bounded;

pub mod init;
pub mod objects;
mod predecessor;
mod refusal;

pub use objects::Objects;
pub use predecessor::Predecessor;
pub use refusal::{Child, Refusal, RefusalReason};

/// Everything that one pass observes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// When the pass began; compared with timestamps of objects, never stored.
    pub now: Timestamp,
    /// The ledger, if it exists.
    pub ledger: Option<Ledger>,
    /// A deleted project of the same name left the ledger behind.
    pub orphaned_ledger: bool,
    /// The children as they were read.
    pub objects: Objects,
    /// The records by version.
    pub records: BTreeMap<String, Record>,
    /// Images of records that the sweep did not find in the registry, with the time when it looked.
    pub listed_lost: BTreeMap<String, Timestamp>,
    /// The build Jobs.
    pub jobs: Vec<BuildJob>,
    /// The Jobs that run an init command.
    pub inits: Vec<init::InitJob>,
    /// Image cleanups of the project.
    pub cleanups: Cleanups,
    /// Position of its queued build, if there is one: 1 is next.
    pub position: Option<u32>,
    /// Why the API server rejects the start of its queued build, if it does.
    pub start_rejected: Option<String>,
    /// The Deployment.
    pub rollout: Option<Rollout>,
    /// The Deployment's ReplicaSets.
    pub sets: Vec<Set>,
    /// The Service.
    pub service: Option<Service>,
    /// The NetworkPolicy.
    pub network_policy: Option<NetworkPolicy>,
    /// The ConfigMap that the spec names as source.
    pub config_map: ConfigMap,
    /// Children of a deleted project of the same name: the operator waits until they are gone.
    pub predecessors: Vec<Predecessor>,
    /// Ledger, records, Jobs, Deployment and Service that lost a label or the owner.
    pub lost_metadata: Vec<LostMetadata>,
    /// Children whose labels or owner something strips after every repair.
    pub contested: Vec<Contested>,
    /// Writes that were rejected in this pass.
    pub refusals: Vec<Refusal>,
    /// First retry delay after a fault, in seconds.
    pub retry_base: u32,
    /// Repository that nodes pull this project's images from, without tag.
    pub repository: String,
}

/// A child that lost a label or its owner: without the owner, it would outlive the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostMetadata {
    /// The ledger, a record, a Job, the Deployment, the Service or the NetworkPolicy.
    pub child: Child,
    /// Its name.
    pub name: String,
}

/// A child whose labels or owner something strips after every repair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contested {
    /// Its kind, such as `Service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is stripped, by whom if that is known, and what to do.
    pub message: String,
    /// The next repair has to wait.
    pub waits: bool,
    /// When to look again: when the next repair may follow, or the last one has lasted long enough.
    pub look_after: Duration,
}

/// The content of the ConfigMap that is the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigMap {
    /// The source is something else.
    #[default]
    NotAsked,
    /// No ConfigMap of that name exists.
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
    pub of: BuildTarget,
    /// Number of the attempt.
    pub attempt: u32,
    /// Why it was created, one word.
    pub reason: String,
    /// Its state.
    pub state: JobState,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Its result is known, and Kubernetes is about to say that its Job has ended.
    pub closes: bool,
    /// When the operator takes the known trouble as the result, because the Job's deadline is about to delete the pod.
    pub cutoff: Option<Timestamp>,
    /// Why its pod does not run, if Kubernetes reports it.
    pub trouble: Option<Trouble>,
}

impl BuildJob {
    /// Another build of the project has to wait for it. One that is queued for reason `but` can wait itself.
    #[must_use]
    pub fn is_in_the_way(&self, but: &str) -> bool {
        let can_wait = self.state == JobState::Queued && self.reason == but;
        self.state.is_active() && !can_wait || self.state == JobState::Ending
    }

    /// Its report, if it ended with an image.
    #[must_use]
    pub fn report(&self) -> Option<&report::Built> {
        match &self.state {
            JobState::Built(built) => Some(built),
            _ => None,
        }
    }
}

/// State of a build Job.
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
    /// It ended without a report, or its time is almost over and its pod does not run; with the known cause.
    Lost(Trouble),
    /// It is being deleted.
    Ending,
}

impl JobState {
    /// It is queued or running.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Reference of its log.
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
    /// Version of the pod template; `None` if its annotation was removed.
    pub version: Option<String>,
    /// Restart stamp of the pod template.
    pub stamp: Option<String>,
    /// Desired pods.
    pub replicas: i32,
    /// Existing pods.
    pub pods: i32,
    /// Pods of this template among them.
    pub updated: i32,
    /// Pods of this template that are not ready although they are not new, or that cannot start or be created.
    pub ailing: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub serving: i32,
    /// The template and all other fields that we set, except replicas, match the desired shape for that version and
    /// stamp.
    pub in_sync: bool,
    /// Its status describes its newest generation. If not, the status fields below do not count.
    pub current: bool,
    /// Every pod has this template and has been ready for `minReadySeconds`.
    pub available: bool,
    /// It was available in this template before, or at 0 replicas: Kubernetes no longer applies a deadline to it.
    pub completed: bool,
    /// When it completed.
    pub completed_at: Option<Timestamp>,
    /// The progress deadline of this template is over.
    pub deadline_over: bool,
    /// When the deadline passed.
    pub deadline_at: Option<Timestamp>,
    /// Why it can never become available, if that is certain.
    pub hopeless: Option<Trouble>,
    /// Why its pods are not ready, if Kubernetes reports it.
    pub trouble: Option<Trouble>,
    /// The cause of `trouble` is outside of the version: it may start once that cause is gone.
    pub outside: bool,
    /// Last lines of the app's log, for people.
    pub log: String,
    /// When a pod that has just started can be judged further.
    pub judge_after: Option<Timestamp>,
    /// The image of the version in place, if a node says that its registry does not have it.
    pub missing_image: Option<MissingImage>,
}

/// An image that a node did not find in its registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingImage {
    /// Reference by digest, as recorded.
    pub reference: String,
    /// When the newest pod that waits for it was created.
    pub since: Timestamp,
}

/// What keeps pods from being ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// One CamelCase word, mostly from Kubernetes.
    pub reason: String,
    /// Explanation for people.
    pub message: String,
}

impl From<&Trouble> for Failure {
    /// The failure of a build whose pod did not run or sent no report.
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
    /// It has the current template of the Deployment.
    pub current: bool,
    /// Its template is the recorded one, without foreign edits.
    pub in_sync: bool,
    /// Number of the template in the history of the Deployment: the greatest is the newest.
    pub revision: u64,
}

/// The Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its node port.
    pub port: Option<u16>,
    /// All fields that we set match the desired shape, except the port.
    pub in_sync: bool,
}

/// The NetworkPolicy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// It matches the desired shape, and its rules are exactly the desired ones.
    pub in_sync: bool,
    /// It is being deleted.
    pub ending: bool,
}

impl Observed {
    /// Whether a write to `child` was rejected in this pass.
    #[must_use]
    pub fn refused(&self, child: Child) -> bool {
        self.refusals.iter().any(|refusal| refusal.child == child)
    }

    /// Whether the next repair of this child has to wait.
    #[must_use]
    pub fn repair_waits(&self, lost: &LostMetadata) -> bool {
        let is = |contested: &&Contested| contested.name == lost.name && contested.kind == lost.child.kind();
        self.contested.iter().find(is).is_some_and(|contested| contested.waits)
    }

    /// The image of a build key: from a record, or from the report of a Job that just ended.
    #[must_use]
    pub fn image_of(&self, key: &str) -> Option<ImageFact> {
        let of_key = |record: &&Record| record.facts.key.as_deref() == Some(key);
        let recorded = self.records.values().filter(of_key).find_map(|record| record.image.clone());
        let attempts = self.ledger.as_ref().and_then(|ledger| ledger.builds.get(key));
        // A build from before the loss reports the lost image.
        let counts = |job: &&BuildJob| match attempts.filter(|attempts| attempts.lost.is_some()) {
            Some(attempts) => matches!(job.of, BuildTarget::Key(_)) && job.attempt == attempts.attempt,
            None => true,
        };
        let reported = || self.jobs.iter().filter(counts).filter_map(BuildJob::report);
        recorded.or_else(|| reported().find(|built| built.key == key).map(|built| self.image(built)))
    }

    /// Reports of the Jobs that ended with an image.
    pub fn reports(&self) -> impl Iterator<Item = &report::Built> {
        self.jobs.iter().filter_map(BuildJob::report)
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
            committed_at: built.committed_at,
        }
    }
}
