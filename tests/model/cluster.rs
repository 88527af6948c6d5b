//! The model of the cluster: one project and its children, as the API server would store them. It decides nothing. The
//! controllers are in `deployment` and `jobs`.

use std::collections::BTreeMap;

use doce_operator::crd::ProjectDeployment;
use doce_operator::memory::ledger::Ledger;
use doce_operator::memory::lost_images::set_apart;
use doce_operator::memory::record::Record;
use doce_operator::project::Project;
use doce_operator::protocol::build_target::BuildTarget;
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

/// The whole state.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Seconds since the start.
    pub(crate) clock: i64,
    /// The object that the user wrote.
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
    /// The ledger belongs to a deleted project of the same name.
    pub(crate) orphaned_ledger: bool,
    /// The previous project of this name left its children to this one.
    pub(crate) heir: bool,
    /// Children that lost a label or their owner.
    pub(crate) lost_metadata: Vec<LostMetadata>,
    /// Children of deleted namesakes, by kind and name.
    pub(crate) ghosts: Vec<(Child, String)>,
    /// The number of earlier projects with this name.
    pub(crate) lives: u32,
    /// The annotations after the first request; a tool restores these.
    pub(crate) first_requests: Option<BTreeMap<String, String>>,
    /// The writes that the API server rejects.
    pub(crate) server: Server,
    /// A user deleted the ledger, so the operator may know less than what happened.
    pub(crate) forgotten: bool,
    /// The behaviour of sources and versions, which the operator cannot influence.
    pub(crate) nature: Nature,
    /// Counts changes; provides resourceVersions and shows when the state is stable.
    pub(crate) changes: u64,
}

/// A build Job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) of: BuildTarget,
    pub(crate) attempt: u32,
    pub(crate) state: JobState,
    /// The project at the time the Job was created: its order.
    pub(crate) order: Project,
    /// The digest of the source, if known.
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

/// The parts in which two pod templates can differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template {
    pub(crate) version: Option<String>,
    pub(crate) stamp: Option<String>,
    /// Counts manual edits; 0 means the recorded template.
    pub(crate) edit: u8,
    /// The annotation of `kubectl rollout restart`; 0 means none.
    pub(crate) kubectl: u8,
}

/// The Deployment: its spec and the state of its controller.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact of the cluster")]
pub(crate) struct Deployment {
    /// It belongs to a deleted project.
    pub(crate) unowned: bool,
    /// Strategy Recreate: all old pods end before a new one starts.
    pub(crate) replaces: bool,
    pub(crate) template: Template,
    pub(crate) replicas: usize,
    pub(crate) guard: i64,
    pub(crate) deadline: i64,
    pub(crate) generation: u64,
    pub(crate) observed: u64,
    /// The template that the controller saw last.
    pub(crate) rolling: Option<Template>,
    /// Clock at the last progress.
    pub(crate) progressed: i64,
    /// Condition Progressing is `NewReplicaSetAvailable`.
    pub(crate) complete: bool,
    /// Condition Progressing is `ProgressDeadlineExceeded`.
    pub(crate) timed_out: bool,
    /// Updated, ready and available pods at the last sync.
    pub(crate) counts: (usize, usize, usize),
    /// Available pods of all sets, as in the status.
    pub(crate) available: usize,
}

/// A `ReplicaSet`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    /// The Deployment's revision: counts its templates.
    pub(crate) revision: u64,
    pub(crate) desired: usize,
    pub(crate) pods: Vec<Pod>,
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) born: i64,
    pub(crate) ready: Option<i64>,
    /// The permanent illness of this pod.
    pub(crate) sick: Option<Health>,
    pub(crate) exits: u32,
}

/// The Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Its node port, unless the spec asks for none.
    pub(crate) port: Option<u16>,
    pub(crate) edited: bool,
}

impl Cluster {
    /// The ledger's content, or an empty one.
    pub(crate) fn memory(&self) -> Ledger {
        self.ledger.as_ref().map(|(ledger, _)| ledger.clone()).unwrap_or_default()
    }

    /// The version of the Deployment's template.
    pub(crate) fn in_place(&self) -> Option<&str> {
        self.deployment.as_ref().and_then(|deployment| deployment.template.version.as_deref())
    }

    /// Notes a change.
    pub(crate) fn touch(&mut self) {
        self.changes += 1;
    }

    /// Pods that answer requests.
    pub(crate) fn ready(&self) -> usize {
        self.sets.values().flat_map(|set| &set.pods).filter(|pod| pod.ready.is_some()).count()
    }

    /// The Deployment is complete in the sense of Kubernetes: every pod has its template and is available.
    pub(crate) fn complete(&self) -> bool {
        let Some(deployment) = &self.deployment else { return false };
        let total: usize = self.sets.values().map(|set| set.pods.len()).sum();
        let new = self.sets.get(&deployment.template);
        let available = new.map_or(0, |set| set.available(deployment.guard, self.clock));
        let updated = new.map_or(0, |set| set.pods.len());
        [total, available, updated].iter().all(|count| *count == deployment.replicas)
    }

    /// Advances time: every controller acts once.
    pub(crate) fn tick(&mut self) {
        self.clock += TICK;
        self.tick_jobs();
        self.tick_inits();
        self.tick_pods();
        self.tick_deployment();
        self.tick_garbage();
        self.tick_autoscaler();
    }

    /// The autoscaler scales the project, not its Deployment, one pod at a time. It ignores a project scaled to 0.
    fn tick_autoscaler(&mut self) {
        let (now, Some(load)) = (self.object.spec.replicas, self.nature.load) else { return };
        if self.project.stopped() || self.project.deleting || now == i32::from(load) {
            return;
        }
        self.object.spec.replicas += (i32::from(load) - now).signum();
        self.reparse();
    }

    /// The record of this version exists and has an image.
    pub(crate) fn built(&self, version: &str) -> bool {
        self.records.get(version).is_some_and(|record| record.image.is_some())
    }

    /// The same, and the image is not known to be gone.
    pub(crate) fn intact(&self, version: &str) -> bool {
        self.known_records().get(version).is_some_and(|record| record.image.is_some())
    }

    /// The registry does not have the recorded image of this version.
    pub(crate) fn lacks_image(&self, version: &str) -> bool {
        let image = self.records.get(version).and_then(|record| record.image.as_ref());
        image.is_some_and(|image| self.nature.gone.contains(&image.reference))
    }

    /// The records, with the images that are known to be gone set apart.
    pub(crate) fn known_records(&self) -> BTreeMap<String, Record> {
        set_apart(self.records.clone(), self.ledger.as_ref().map(|(ledger, _)| ledger))
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
