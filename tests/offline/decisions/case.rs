//! Short builders for projects and observed states. Commits are numbers; a version is what its commit yields with the
//! default settings.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::{ProjectDeployment, ProjectDeploymentSpec};
use doce_operator::memory::ledger::{Failure, Ledger, VersionState};
use doce_operator::memory::record::{Facts, ImageFact, Record, SourceFact};
use doce_operator::project::Project;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::report::{Failed, Stage};
use doce_operator::reconcile::decide::{DesiredDeployment, Step, decide};
use doce_operator::reconcile::observed::{BuildJob, JobState, Observed, Rollout, Service, Set};
use doce_operator::version;
use jiff::Timestamp;

/// A project and the state observed of it.
pub(super) struct Case {
    pub(super) project: Project,
    pub(super) observed: Observed,
}

/// A time of the clock that every case uses.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a small number of seconds")
}

pub(super) fn commit(number: u8) -> String {
    format!("{number:040x}")
}

fn object(reference: &serde_json::Value) -> ProjectDeployment {
    let spec: ProjectDeploymentSpec = serde_json::from_value(serde_json::json!({
        "source": { "git": { "url": "https://git.test/shop.git", "ref": reference } },
        "history": { "limit": 2 },
    }))
    .expect("the case's spec is valid");
    let mut object = ProjectDeployment::new("shop", spec);
    object.metadata.namespace = Some("test".to_owned());
    object.metadata.uid = Some("uid".to_owned());
    object
}

fn project(reference: &serde_json::Value) -> Project {
    Project::parse(&object(reference)).expect("the case's object is complete")
}

/// The build key of a commit.
pub(super) fn key(number: u8) -> String {
    version::build_key(&commit(number), &project(&serde_json::json!({ "branch": "main" })).settings)
}

/// The version of a commit.
pub(super) fn v(number: u8) -> String {
    version::version(&key(number), &project(&serde_json::json!({ "branch": "main" })).run)
}

/// A verdict or fault with this reason.
pub(super) fn failed(stage: Stage, reason: &str) -> Failed {
    let message = "it says so".to_owned();
    Failed {
        stage,
        reason: reason.into(),
        message,
        log: String::new(),
        key: None,
        source: None,
        subject: None,
        author: None,
        committed_at: None,
        log_reference: None,
    }
}

impl Case {
    /// The spec names this commit; only an empty ledger and a Service exist.
    pub(super) fn new(number: u8) -> Self {
        let project = project(&serde_json::json!({ "commit": commit(number) }));
        let ledger = Some(Ledger { port: Some(30_100), ..Ledger::default() });
        let service = Some(Service { port: Some(30_100), in_sync: true });
        let observed = Observed {
            now: at(0),
            ledger,
            service,
            retry_base: 10,
            repository: "registry.test/shop".into(),
            ..Observed::default()
        };
        Self { project, observed }
    }

    /// The spec names this commit, which is live and serves.
    pub(super) fn serving(number: u8) -> Self {
        Self::new(number).live(number, 1).in_place(number)
    }

    /// The spec names a branch.
    pub(super) fn branch() -> Self {
        Self { project: project(&serde_json::json!({ "branch": "main" })), ..Self::new(0) }
    }

    /// Changes the spec to this commit.
    pub(super) fn spec(mut self, number: u8) -> Self {
        self.project.source = project(&serde_json::json!({ "commit": commit(number) })).source;
        self
    }

    /// Adds a record without an image.
    pub(super) fn recorded(mut self, number: u8) -> Self {
        let source = SourceFact { digest: commit(number), ..SourceFact::default() };
        let facts = Facts { version: v(number), key: Some(key(number)), source, ..Facts::default() };
        let record =
            Record { name: v(number), created: Some(at(i64::from(number))), facts, ..Record::default() };
        self.observed.records.insert(v(number), record);
        self
    }

    /// Adds a record with an image.
    pub(super) fn built(mut self, number: u8) -> Self {
        self = self.recorded(number);
        let image =
            ImageFact { reference: format!("registry.test/shop@sha256:{number}"), ..ImageFact::default() };
        self.observed.records.get_mut(&v(number)).expect("it was recorded").image = Some(image);
        self
    }

    /// Adds a record with an image and marks the version live with this sequence number.
    pub(super) fn live(self, number: u8, last: u64) -> Self {
        let with = |ledger: &mut Ledger| {
            ledger.versions.insert(v(number), VersionState { live: Some(last), ..VersionState::default() });
            ledger.last_live = ledger.last_live.max(last);
        };
        self.built(number).ledger(with)
    }

    /// Adds a record with an image and a verdict from its trial.
    pub(super) fn failed(self, number: u8) -> Self {
        let with = |ledger: &mut Ledger| {
            ledger.versions.entry(v(number)).or_default().failed = Some(Failure::default());
        };
        self.built(number).ledger(with)
    }

    /// The Deployment runs this version and is Available.
    pub(super) fn in_place(mut self, number: u8) -> Self {
        self.observed.rollout = Some(Rollout {
            version: Some(v(number)),
            replicas: 1,
            pods: 1,
            updated: 1,
            serving: 1,
            in_sync: true,
            current: true,
            available: true,
            completed: true,
            ..Rollout::default()
        });
        self.observed.sets.iter_mut().for_each(|set| set.current = false);
        self.set(number, 1, true)
    }

    /// Adds a `ReplicaSet` of this version.
    pub(super) fn set(mut self, number: u8, pods: i32, current: bool) -> Self {
        let name = format!("shop-{number}");
        self.observed.sets.push(Set {
            name,
            version: Some(v(number)),
            stamp: None,
            pods,
            current,
            in_sync: true,
            revision: 0,
        });
        self
    }

    /// The Deployment runs this version, and its pods are not ready.
    pub(super) fn on_trial(self, number: u8) -> Self {
        self.built(number).in_place(number).rollout(|rollout| {
            rollout.available = false;
            rollout.completed = false;
        })
    }

    pub(super) fn rollout(mut self, edit: impl FnOnce(&mut Rollout)) -> Self {
        edit(self.observed.rollout.as_mut().expect("a version is in place"));
        self
    }

    pub(super) fn ledger(mut self, edit: impl FnOnce(&mut Ledger)) -> Self {
        edit(self.observed.ledger.as_mut().expect("there is a ledger"));
        self
    }

    pub(super) fn job(mut self, of: BuildTarget, attempt: u32, state: JobState) -> Self {
        let finished = Some(at(0)).filter(|_| !state.is_active());
        let job = BuildJob {
            name: "shop-build".into(),
            of,
            attempt,
            reason: String::new(),
            state,
            started: None,
            finished,
            closes: false,
            cutoff: None,
            trouble: None,
        };
        self.observed.jobs.push(job);
        self
    }

    pub(super) fn asks(mut self, verb: RequestKind, value: &str) -> Self {
        self.project.requests.insert(verb, value.to_owned());
        self
    }

    pub(super) fn stopped(mut self) -> Self {
        self.project.replicas = 0;
        self
    }

    pub(super) fn pinned(mut self, pin: &str) -> Self {
        self.project.pin = Some(pin.to_owned());
        self
    }

    pub(super) fn step(&self) -> Option<Step> {
        decide(&self.project, &self.observed)
    }

    /// The ledger that the decision writes.
    pub(super) fn remembers(&self) -> Ledger {
        match self.step() {
            Some(Step::WriteLedger(ledger)) => *ledger,
            other => panic!("expected a ledger, got {other:?}"),
        }
    }

    /// The rollout that the decision applies.
    pub(super) fn rolls(&self) -> DesiredDeployment {
        match self.step() {
            Some(Step::ApplyDeployment(target)) => target,
            other => panic!("expected a rollout, got {other:?}"),
        }
    }

    /// The outcome that the decision stores for a request.
    pub(super) fn says(&self, verb: RequestKind) -> String {
        self.remembers().handled[&verb].outcome.clone()
    }
}
