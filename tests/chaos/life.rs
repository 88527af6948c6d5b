//! One life: a namespace, consecutive operators, the workload, and the final checks. A life that does not reach its end
//! is checked too.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::order::Profile;
use futures::FutureExt as _;

use crate::call::Call;
use crate::evidence::{Evidence, PROJECT};
use crate::fault::Fault;
use crate::harness::door::Journal;
use crate::harness::{Operator, Options, Picture, World};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::wire::{Log, Wire};
use crate::workloads::Workload;

/// Longest wait for an expected event. The operator gives up a silent watch after 65 s, then has work left, and a
/// machine may stall for a while.
const PATIENCE: Duration = Duration::from_mins(10);

/// Result of a life without faults.
pub(crate) struct Whole {
    /// Its end.
    pub picture: Picture,
    /// Objects created by kind.
    pub made: BTreeMap<String, usize>,
    /// Number of requests of each kind until it was settled.
    pub calls: BTreeMap<Call, usize>,
    /// Number of events of the first watch of each kind until then.
    pub events: BTreeMap<Call, usize>,
}

/// How far the operators were when everything was settled. No fault can hit anything later.
struct Mark {
    requests: usize,
    calls: BTreeMap<Call, usize>,
    events: BTreeMap<Call, usize>,
}

impl Mark {
    fn of(log: &Log) -> Self {
        Self { requests: log.len(), calls: log.counts(), events: log.events() }
    }
}

/// Result of a life.
pub(crate) struct Lived {
    /// Its record.
    pub evidence: Evidence,
    /// The faults that struck.
    pub struck: Vec<Fault>,
    /// What it teaches the others; only of a complete life without faults.
    pub whole: Option<Whole>,
}

/// Operators that follow each other.
struct Crew<'a> {
    world: &'a World,
    plan: Option<&'a Plan>,
    profile: Profile,
    log: Arc<Log>,
    at_work: Mutex<Option<Operator>>,
}

impl Crew<'_> {
    /// Starts the next operator whenever one dies, without end.
    async fn work(&self) {
        for number in 0.. {
            let wire =
                |config, journal: &Journal| Wire::new(&self.log, self.plan, number, journal).client(config);
            let options = Options { sees_all: true, profile: self.profile, ..Options::default() };
            let operator = Operator::start_through(self.world, options, wire).await;
            let journal = operator.journal.clone();
            *self.at_work.lock().unwrap() = Some(operator);
            journal.died().await;
            drop(self.at_work.lock().unwrap().take());
        }
    }

    /// Waits until every request has an answer.
    async fn at_rest(&self) {
        let journal = self.at_work.lock().unwrap().as_ref().map(|operator| operator.journal.clone());
        if let Some(journal) = journal.filter(|journal| !journal.is_dead()) {
            journal.at_rest().await;
        }
    }
}

/// Runs one life. `whole` is the reference; without it, this life becomes one.
pub(crate) async fn live(
    workload: &Workload,
    plan: Option<&Plan>,
    whole: Option<&Whole>,
    recorder: &Recorder,
) -> Lived {
    let mut world = World::new(&format!("chaos-{}", workload.name)).await;
    world.patience = PATIENCE;
    recorder.follow(&world.namespace);
    let log = Arc::<Log>::default();
    let profile = workload.profile;
    let crew = Crew { world: &world, plan, profile, log: log.clone(), at_work: Mutex::default() };
    let mut settled = None;
    let course = AssertUnwindSafe(course(workload, whole, &crew, &mut settled)).catch_unwind();
    let ended = course.await;
    let operator = crew.at_work.lock().unwrap().take();
    let fell = operator.filter(|operator| !operator.runs()).map(|_| "the operator's loop ended".to_owned());
    let history = recorder.take(&world).await;
    let (picture, otherwise) = match ended {
        Ok(picture) => (Some(picture), None),
        Err(panic) => (None, Some(words(&*panic))),
    };
    let requests = settled.as_ref().map(|mark: &Mark| mark.requests);
    let whole_life = picture.filter(|_| plan.is_none()).zip(settled);
    let learned = whole_life.map(|(picture, Mark { calls, events, .. })| Whole {
        picture,
        made: history.made(PROJECT),
        calls,
        events,
    });
    let evidence = Evidence {
        history,
        asked: log.asked(),
        namespace: world.namespace.clone(),
        settled: requests,
        made: whole.filter(|_| !workload.deleted_when_struck).map(|whole| whole.made.clone()),
        otherwise,
        fell,
    };
    world.leave().await;
    Lived { evidence, struck: log.struck(), whole: learned }
}

async fn course(
    workload: &Workload,
    whole: Option<&Whole>,
    crew: &Crew<'_>,
    settled: &mut Option<Mark>,
) -> Picture {
    let world = crew.world;
    if let Some(before) = workload.before {
        let operator = Operator::start(world).await;
        before(world).await;
        operator.stop().await;
    }
    tokio::select! {
        picture = watched(workload, whole, crew, settled) => picture,
        () = crew.work() => unreachable!("the crew never ends"),
    }
}

async fn watched(
    workload: &Workload,
    whole: Option<&Whole>,
    crew: &Crew<'_>,
    settled: &mut Option<Mark>,
) -> Picture {
    let (world, log) = (crew.world, &crew.log);
    if workload.deleted_when_struck {
        tokio::select! {
            () = (workload.then)(world) => {}
            () = log.until_struck() => {}
        }
        if world.api::<ProjectDeployment>().get_opt(PROJECT).await.unwrap().is_some() {
            world.delete::<ProjectDeployment>(PROJECT).await;
        }
        world.until_nothing_of(PROJECT).await;
    } else {
        (workload.then)(world).await;
    }
    let picture = match whole {
        Some(whole) => {
            world.until_picture(PROJECT, &whole.picture, "the life with faults").await;
            whole.picture.clone()
        }
        None => world.picture(PROJECT).await,
    };
    assert!(picture.ports_agree, "{picture:#?}");
    log.disarm();
    crew.at_rest().await;
    let mark = Mark::of(log);
    world.with_canary().await;
    world.until_picture(PROJECT, &picture, "reconciled again").await;
    crew.at_rest().await;
    *settled = Some(mark);
    picture
}

/// Message of a panic.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
