//! The model of the cluster: one project and its children, as the API server would hold them. It decides nothing; what
//! moves by itself is in `deployment` and `jobs`.

use std::collections::BTreeMap;

use doce_operator::crd::ProjectDeployment;
use doce_operator::ledger::Ledger;
use doce_operator::project::Project;
use doce_operator::reconcile::world::{BuildOf, JobState};
use doce_operator::record::Record;
use jiff::Timestamp;

use super::nature::{Health, Nature};

/// Seconds of one tick.
pub const TICK: i64 = 5;
/// Seconds that a version has to become ready.
pub const DEADLINE: i32 = 30;
/// Seconds that a version on trial must stay ready.
pub const GUARD: i32 = 10;
/// Seconds of the first pause after a fault.
pub const PAUSE: u32 = 10;

/// Everything that there is.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Seconds since the beginning.
    pub clock: i64,
    /// What the user wrote.
    pub object: ProjectDeployment,
    /// The same, parsed.
    pub project: Project,
    /// The ledger and its resourceVersion.
    pub ledger: Option<(Ledger, u64)>,
    /// Records by version.
    pub records: BTreeMap<String, Record>,
    /// Jobs by name.
    pub jobs: BTreeMap<String, Job>,
    /// The Deployment.
    pub deployment: Option<Deployment>,
    /// The `ReplicaSets` by template: the Deployment controller never has two of one template.
    pub sets: BTreeMap<Template, Set>,
    /// The Service.
    pub service: Option<Port>,
    /// What is outside of the operator's reach.
    pub nature: Nature,
    /// Counts changes, so that a resourceVersion can be had and quiet can be told.
    pub changes: u64,
}

/// A build Job.
#[derive(Clone, Debug)]
pub struct Job {
    pub of: BuildOf,
    pub attempt: u32,
    pub state: JobState,
    /// The project as it was when the Job was made: its order.
    pub order: Project,
    /// Digest of the source, where it was known.
    pub digest: Option<String>,
    /// Clock at the last change of state.
    pub since: i64,
    pub started: Option<i64>,
}

/// What makes two pod templates differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    pub version: Option<String>,
    pub stamp: Option<String>,
    /// Changed by hand: 0 is what was recorded.
    pub edit: u8,
}

/// The Deployment, spec and what its controller remembers.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub template: Template,
    pub replicas: usize,
    pub guard: i64,
    pub deadline: i64,
    pub generation: u64,
    pub observed: u64,
    /// Template that the controller saw last.
    pub rolling: Option<Template>,
    /// Clock at the last progress.
    pub progressed: i64,
    /// Condition Progressing is `NewReplicaSetAvailable`.
    pub complete: bool,
    /// Condition Progressing is `ProgressDeadlineExceeded`.
    pub timed_out: bool,
    /// Updated, ready and available pods at the last look.
    pub counts: (usize, usize, usize),
}

/// A `ReplicaSet`.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub desired: usize,
    pub pods: Vec<Pod>,
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    pub born: i64,
    pub ready: Option<i64>,
    /// Sick for life.
    pub sick: Option<Health>,
    pub exits: u32,
}

/// The Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub port: u16,
    pub edited: bool,
}

impl Cluster {
    /// The ledger's content, or an empty one.
    pub fn memory(&self) -> Ledger {
        self.ledger.as_ref().map(|(ledger, _)| ledger.clone()).unwrap_or_default()
    }

    /// Version of the Deployment's template.
    pub fn in_place(&self) -> Option<&str> {
        self.deployment.as_ref().and_then(|deployment| deployment.template.version.as_deref())
    }

    /// Something changed.
    pub fn touch(&mut self) {
        self.changes += 1;
    }

    /// The user wrote: the object is parsed again.
    pub fn reparse(&mut self) {
        self.object.metadata.generation = self.object.metadata.generation.map(|generation| generation + 1);
        self.project = Project::parse(&self.object).expect("the model's object is complete");
        self.touch();
    }

    /// Pods that answer requests.
    pub fn ready(&self) -> usize {
        self.sets.values().flat_map(|set| &set.pods).filter(|pod| pod.ready.is_some()).count()
    }

    /// The Deployment is what Kubernetes calls complete: every pod is of its template and available.
    pub fn complete(&self) -> bool {
        let Some(deployment) = &self.deployment else { return false };
        let total: usize = self.sets.values().map(|set| set.pods.len()).sum();
        let new = self.sets.get(&deployment.template);
        let available = new.map_or(0, |set| set.available(deployment.guard, self.clock));
        let updated = new.map_or(0, |set| set.pods.len());
        [total, available, updated].iter().all(|count| *count == deployment.replicas)
    }

    /// Passes time: everything that moves by itself moves once.
    pub fn tick(&mut self) {
        self.clock += TICK;
        self.tick_jobs();
        self.tick_pods();
        self.tick_deployment();
    }
}

impl Set {
    /// Pods that have been ready for `guard`.
    pub fn available(&self, guard: i64, now: i64) -> usize {
        self.pods.iter().filter(|pod| pod.ready.is_some_and(|since| since + guard <= now)).count()
    }
}

/// The clock as an object's timestamp.
pub fn timestamp(clock: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + clock).expect("the model's clock is small")
}
