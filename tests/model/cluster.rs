//! The model of the cluster: one project and its children, as the API server would hold them. It decides nothing; what
//! moves by itself is in `deployment` and `jobs`.

use std::collections::BTreeMap;

use doce_operator::crd::ProjectDeployment;
use doce_operator::memory::ledger::Ledger;
use doce_operator::memory::record::Record;
use doce_operator::project::Project;
use doce_operator::protocol::target::BuildOf;
use doce_operator::reconcile::observed::init::InitState;
use doce_operator::reconcile::observed::{Child, JobState, LostMetadata};
use jiff::Timestamp;

use super::nature::{Health, Nature};
use super::server::Server;

/// Seconds of one tick.
pub(crate) const TICK: i64 = 5;
/// Seconds that a version has to become ready.
pub(crate) const DEADLINE: i32 = 30;
/// Seconds that a version on trial must stay ready.
pub(crate) const GUARD: i32 = 10;
/// Seconds of the first pause after a fault.
pub(crate) const PAUSE: u32 = 10;

/// Everything that there is.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Seconds since the beginning.
    pub(crate) clock: i64,
    /// What the user wrote.
    pub(crate) object: ProjectDeployment,
    /// The same, parsed.
    pub(crate) project: Project,
    /// The ledger and its resourceVersion.
    pub(crate) ledger: Option<(Ledger, u64)>,
    /// Records by version.
    pub(crate) records: BTreeMap<String, Record>,
    /// Jobs by name.
    pub(crate) jobs: BTreeMap<String, Job>,
    /// Jobs that run an init command, by name.
    pub(crate) inits: BTreeMap<String, Init>,
    /// The Deployment.
    pub(crate) deployment: Option<Deployment>,
    /// The `ReplicaSets` by template: the Deployment controller never has two of one template.
    pub(crate) sets: BTreeMap<Template, Set>,
    /// The Service.
    pub(crate) service: Option<Port>,
    /// The memory is that of a project of this name which is gone.
    pub(crate) inherits: bool,
    /// The project before left its children to this one.
    pub(crate) heir: bool,
    /// Children that somebody took a label or the owner from.
    pub(crate) unmarked: Vec<LostMetadata>,
    /// What deleted namesakes left, by kind and name.
    pub(crate) ghosts: Vec<(Child, String)>,
    /// How many projects had this name before.
    pub(crate) lives: u32,
    /// The annotations as they were after the first request: what a tool puts back.
    pub(crate) first_requests: Option<BTreeMap<String, String>>,
    /// What the API server has against writes.
    pub(crate) server: Server,
    /// Somebody deleted the ledger: what is known may be less than what happened.
    pub(crate) forgotten: bool,
    /// What is outside of the operator's reach.
    pub(crate) nature: Nature,
    /// Counts changes, so that a resourceVersion can be had and quiet can be told.
    pub(crate) changes: u64,
}

/// A build Job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) of: BuildOf,
    pub(crate) attempt: u32,
    pub(crate) state: JobState,
    /// The project as it was when the Job was made: its order.
    pub(crate) order: Project,
    /// Digest of the source, where it was known.
    pub(crate) digest: Option<String>,
    /// Clock at the last change of state.
    pub(crate) since: i64,
    pub(crate) started: Option<i64>,
}

/// A Job that runs an init command.
#[derive(Clone, Debug)]
pub(crate) struct Init {
    pub(crate) version: String,
    pub(crate) number: u64,
    pub(crate) state: InitState,
    /// Clock at the last change of state.
    pub(crate) since: i64,
}

/// What makes two pod templates differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template {
    pub(crate) version: Option<String>,
    pub(crate) stamp: Option<String>,
    /// Changed by hand: 0 is what was recorded.
    pub(crate) edit: u8,
    /// The annotation of `kubectl rollout restart`; 0: none.
    pub(crate) kubectl: u8,
}

/// The Deployment, spec and what its controller remembers.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that the cluster shows")]
pub(crate) struct Deployment {
    /// It belongs to a project that is gone.
    pub(crate) unowned: bool,
    /// All old pods end before a new one starts.
    pub(crate) replaces: bool,
    pub(crate) template: Template,
    pub(crate) replicas: usize,
    pub(crate) guard: i64,
    pub(crate) deadline: i64,
    pub(crate) generation: u64,
    pub(crate) observed: u64,
    /// Template that the controller saw last.
    pub(crate) rolling: Option<Template>,
    /// Clock at the last progress.
    pub(crate) progressed: i64,
    /// Condition Progressing is `NewReplicaSetAvailable`.
    pub(crate) complete: bool,
    /// Condition Progressing is `ProgressDeadlineExceeded`.
    pub(crate) timed_out: bool,
    /// Updated, ready and available pods at the last look.
    pub(crate) counts: (usize, usize, usize),
    /// Available pods of all sets, as status says.
    pub(crate) available: usize,
}

/// A `ReplicaSet`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    /// Counts the templates that the Deployment has had.
    pub(crate) revision: u64,
    pub(crate) desired: usize,
    pub(crate) pods: Vec<Pod>,
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) born: i64,
    pub(crate) ready: Option<i64>,
    /// Sick for life.
    pub(crate) sick: Option<Health>,
    pub(crate) exits: u32,
}

/// The Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) port: u16,
    pub(crate) edited: bool,
}

impl Cluster {
    /// The ledger's content, or an empty one.
    pub(crate) fn memory(&self) -> Ledger {
        self.ledger.as_ref().map(|(ledger, _)| ledger.clone()).unwrap_or_default()
    }

    /// Version of the Deployment's template.
    pub(crate) fn in_place(&self) -> Option<&str> {
        self.deployment.as_ref().and_then(|deployment| deployment.template.version.as_deref())
    }

    /// Something changed.
    pub(crate) fn touch(&mut self) {
        self.changes += 1;
    }

    /// Pods that answer requests.
    pub(crate) fn ready(&self) -> usize {
        self.sets.values().flat_map(|set| &set.pods).filter(|pod| pod.ready.is_some()).count()
    }

    /// The Deployment is what Kubernetes calls complete: every pod is of its template and available.
    pub(crate) fn complete(&self) -> bool {
        let Some(deployment) = &self.deployment else { return false };
        let total: usize = self.sets.values().map(|set| set.pods.len()).sum();
        let new = self.sets.get(&deployment.template);
        let available = new.map_or(0, |set| set.available(deployment.guard, self.clock));
        let updated = new.map_or(0, |set| set.pods.len());
        [total, available, updated].iter().all(|count| *count == deployment.replicas)
    }

    /// Passes time: everything that moves by itself moves once.
    pub(crate) fn tick(&mut self) {
        self.clock += TICK;
        self.tick_jobs();
        self.tick_inits();
        self.tick_pods();
        self.tick_deployment();
        self.tick_garbage();
        self.tick_autoscaler();
    }

    /// An autoscaler scales the project, not its Deployment, pod by pod, and leaves alone what was scaled to 0.
    fn tick_autoscaler(&mut self) {
        let (now, Some(load)) = (self.object.spec.replicas, self.nature.load) else { return };
        if self.project.stopped() || self.project.deleting || now == i32::from(load) {
            return;
        }
        self.object.spec.replicas += (i32::from(load) - now).signum();
        self.reparse();
    }

    /// The record of this version is there and has an image.
    pub(crate) fn built(&self, version: &str) -> bool {
        self.records.get(version).is_some_and(|record| record.image.is_some())
    }
}

impl Set {
    /// Pods that have been ready for `guard`.
    pub(crate) fn available(&self, guard: i64, now: i64) -> usize {
        self.pods.iter().filter(|pod| pod.ready.is_some_and(|since| since + guard <= now)).count()
    }
}

/// The clock as an object's timestamp.
pub(crate) fn timestamp(clock: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + clock).expect("the model's clock is small")
}
