//! One life: a namespace, operators that follow each other, the workload, and what is looked at when it is over. A
//! life that does not come to its end is looked at all the same.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doce_operator::crd::ProjectDeployment;
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

/// Longest wait for what must come: a watch that is silent is given up after 65 s, then there is work left, and a machine
/// may stand still for a while.
const PATIENCE: Duration = Duration::from_mins(10);

/// How a life without faults went.
pub(crate) struct Whole {
    /// What it came to.
    pub picture: Picture,
    /// Objects made, by kind.
    pub made: BTreeMap<String, usize>,
    /// How often each kind of request was asked until it was settled.
    pub calls: BTreeMap<Call, usize>,
    /// How many events the first watch of each kind told until then.
    pub events: BTreeMap<Call, usize>,
}

/// How far the operators had come when everything was settled. What they did after it, nothing could befall.
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

/// How a life went.
pub(crate) struct Lived {
    /// What it left behind.
    pub evidence: Evidence,
    /// The faults that struck.
    pub struck: Vec<Fault>,
    /// What it teaches the others; of a life without faults that came to its end.
    pub whole: Option<Whole>,
}

/// Operators that follow each other.
struct Crew<'a> {
    world: &'a World,
    plan: Option<&'a Plan>,
    log: Arc<Log>,
    at_work: Mutex<Option<Operator>>,
}

impl Crew<'_> {
    /// Starts one after the other, whenever one dies, for ever.
    async fn work(&self) {
        for number in 0.. {
            let wire =
                |config, journal: &Journal| Wire::new(&self.log, self.plan, number, journal).client(config);
            let options = Options { sees_all: true, ..Options::default() };
            let operator = Operator::start_through(self.world, options, wire).await;
            let journal = operator.journal.clone();
            *self.at_work.lock().unwrap() = Some(operator);
            journal.died().await;
            drop(self.at_work.lock().unwrap().take());
        }
    }

    /// Waits until everything that was asked has been answered.
    async fn at_rest(&self) {
        let journal = self.at_work.lock().unwrap().as_ref().map(|operator| operator.journal.clone());
        if let Some(journal) = journal.filter(|journal| !journal.is_dead()) {
            journal.at_rest().await;
        }
    }
}

/// Lives once; `whole` is the measure, and without it this life becomes one.
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
    let crew = Crew { world: &world, plan, log: log.clone(), at_work: Mutex::default() };
    let mut settled = None;
    let course = AssertUnwindSafe(course(workload, whole, &crew, &mut settled)).catch_unwind();
    let ended = course.await;
    let operator = crew.at_work.lock().unwrap().take();
    let fell =
        operator.filter(|operator| !operator.runs()).map(|_| "the operator's loop has ended".to_owned());
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
        () = crew.work() => unreachable!("operators follow each other for ever"),
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
    world.until_picture(PROJECT, &picture, "looked at again").await;
    crew.at_rest().await;
    *settled = Some(mark);
    picture
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
