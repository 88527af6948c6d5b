//! What `/metrics` of the operator exports. Counters live as long as the process. No label has values that users choose.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use requests::Requests;

mod requests;

/// Value of the label `controller`: the operator has one.
const CONTROLLER: &str = "projectdeployment";

/// Upper bounds of a pass in seconds. A pass is memory only, or some requests to the API server.
const PASS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Upper bounds of a build or a deploy in seconds: from a reused image to the longest time limit by default.
const MINUTES: [f64; 10] = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 7200.0];

/// How a pass ended, in the words of controller-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Nothing to do until something changes.
    Success,
    /// The project is due again at a known time.
    RequeueAfter,
    /// It is due again with backoff.
    Requeue,
    /// The pass failed.
    Error,
}

impl Passed {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
            Self::Error => "error",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerResult {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

type Times = Family<WithResult, Histogram, fn() -> Histogram>;

/// What is read when `/metrics` is, and not counted.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Objects and notes in memory, by kind.
    pub held: Vec<(&'static str, usize)>,
    /// Builds that wait for a place.
    pub builds_queued: usize,
    /// Builds that run.
    pub builds_running: usize,
    /// Ports that the operator may give to projects.
    pub ports: usize,
    /// This operator holds the lease, or needs none.
    pub leads: bool,
}

/// The metrics of the operator.
pub struct Metrics {
    registry: Registry,
    passes: Family<ControllerResult, Counter>,
    failed_passes: Family<Controller, Counter>,
    pass_seconds: Family<Controller, Histogram, fn() -> Histogram>,
    active: Family<Controller, Gauge>,
    workers: Family<Controller, Gauge>,
    requests: Requests,
    builds: Times,
    versions: Family<WithResult, Counter>,
    deploys: Histogram,
    rollbacks: Family<WithResult, Counter>,
    queued: Gauge,
    running: Gauge,
    ports: Gauge,
    leads: Gauge,
    held: Family<Kind, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            passes: Family::default(),
            failed_passes: Family::default(),
            pass_seconds: Family::new_with_constructor(|| Histogram::new(PASS)),
            active: Family::default(),
            workers: Family::default(),
            requests: Requests::default(),
            builds: Family::new_with_constructor(|| Histogram::new(MINUTES)),
            versions: Family::default(),
            deploys: Histogram::new(MINUTES),
            rollbacks: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            ports: Gauge::default(),
            leads: Gauge::default(),
            held: Family::default(),
        };
        metrics.register();
        metrics
    }
}

/// A pass that runs.
pub struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("controller_runtime_reconcile", "Passes over a project, by result", self.passes.clone());
        all.register(
            "controller_runtime_reconcile_errors",
            "Passes that failed and are repeated with backoff",
            self.failed_passes.clone(),
        );
        all.register(
            "controller_runtime_reconcile_time_seconds",
            "Duration of a pass",
            self.pass_seconds.clone(),
        );
        all.register("controller_runtime_active_workers", "Passes that run now", self.active.clone());
        all.register(
            "controller_runtime_max_concurrent_reconciles",
            "Passes that may run at the same time",
            self.workers.clone(),
        );
        self.requests.register(all);
        all.register(
            "doce_build_duration_seconds",
            "Time from the start of a build Job to its end, also if it found the image in the registry",
            self.builds.clone(),
        );
        all.register(
            "doce_versions",
            "Versions by what became of them: live for the first time, or failed",
            self.versions.clone(),
        );
        all.register(
            "doce_deploy_duration_seconds",
            "Time from the record of a version to its first time live: queue, build and rollout",
            self.deploys.clone(),
        );
        all.register(
            "doce_rollbacks",
            "Rollback requests by result: accepted, rejected, or ignored because the request is not new",
            self.rollbacks.clone(),
        );
        all.register("doce_builds_queued", "Builds that wait for a place", self.queued.clone());
        all.register("doce_builds_running", "Builds that run", self.running.clone());
        all.register(
            "doce_node_ports",
            "Ports that the operator may give to projects, used or free",
            self.ports.clone(),
        );
        all.register(
            "doce_operator_leads",
            "1 if this operator writes, 0 if it is a standby",
            self.leads.clone(),
        );
        all.register(
            "doce_operator_held",
            "Objects and notes that the operator holds in memory, by kind",
            self.held.clone(),
        );
    }

    /// Counts requests to the API server.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Says how many passes may run at the same time.
    pub fn workers(&self, count: u16) {
        self.workers.get_or_create(&of_controller()).set(count.into());
    }

    /// A pass begins. It runs until the answer is dropped, as a pass is whose operator loses the lead.
    #[must_use]
    pub fn pass_begins(&self) -> Running {
        let active = self.active.get_or_create_owned(&of_controller());
        active.inc();
        Running(active)
    }

    /// A pass ended.
    pub fn pass_ended(&self, passed: Passed, after: Duration) {
        let labels = ControllerResult { controller: CONTROLLER, result: passed.word() };
        self.passes.get_or_create(&labels).inc();
        self.pass_seconds.get_or_create(&of_controller()).observe(after.as_secs_f64());
        if passed == Passed::Error {
            self.failed_passes.get_or_create(&of_controller()).inc();
        }
    }

    /// A build ended after so many seconds.
    pub fn build_ended(&self, succeeded: bool, seconds: Option<i64>) {
        let result = if succeeded { "succeeded" } else { "failed" };
        self.builds.get_or_create(&WithResult { result }).observe(as_seconds(seconds));
    }

    /// A version went live for the first time, so many seconds after its record.
    pub fn version_live(&self, seconds: Option<i64>) {
        self.versions.get_or_create(&WithResult { result: "live" }).inc();
        self.deploys.observe(as_seconds(seconds));
    }

    /// A version failed.
    pub fn version_failed(&self) {
        self.versions.get_or_create(&WithResult { result: "failed" }).inc();
    }

    /// A rollback was requested: accepted, rejected or ignored.
    pub fn rollback(&self, result: &'static str) {
        self.rollbacks.get_or_create(&WithResult { result }).inc();
    }

    /// The text of `/metrics`, in the text format of Prometheus.
    pub fn text(&self, now: &Snapshot) -> Result<String, std::fmt::Error> {
        self.queued.set(whole(now.builds_queued));
        self.running.set(whole(now.builds_running));
        self.ports.set(whole(now.ports));
        self.leads.set(now.leads.into());
        for (kind, count) in &now.held {
            self.held.get_or_create(&Kind { kind }).set(whole(*count));
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn of_controller() -> Controller {
    Controller { controller: CONTROLLER }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn as_seconds(seconds: Option<i64>) -> f64 {
    // More than a year of seconds is exact in a float, too.
    seconds.and_then(|seconds| u32::try_from(seconds).ok()).map_or(0.0, f64::from)
}
