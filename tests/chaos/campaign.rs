//! The campaign: lives without faults show where faults can strike, the plans run in parallel lanes, and the test
//! prints the table. Environment variables: `CHAOS_PLAN` (one plan), `CHAOS_SAMPLE` (this many, drawn by `CHAOS_SEED`),
//! `CHAOS_ONLY` (workloads, comma-separated), `CHAOS_LANES`, `CHAOS_MINUTES` (no life starts afterwards).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doce_operator::crd::ProjectDeployment;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Resource as _, ResourceExt as _};

use crate::harness::{World, prebuilt};
use crate::life::{Lived, Whole, live};
use crate::plan::Plan;
use crate::plans;
use crate::recorder::Recorder;
use crate::table::Table;
use crate::workloads::{self, Workload};

/// Concurrent lives.
const LANES: usize = 8;
/// Concurrent lives that mostly wait for a silent watch.
const SILENT_LANES: usize = 6;
/// Default seed of a sample.
const SEED: u64 = 20_261_121;

/// Settings from the environment.
struct Wish {
    plan: Option<Plan>,
    sample: Option<usize>,
    seed: u64,
    only: Option<String>,
    lanes: usize,
    time: Duration,
}

impl Wish {
    /// True if it names all plans of all workloads.
    fn is_whole(&self) -> bool {
        self.plan.is_none() && self.sample.is_none() && self.only.is_none() && self.time == Duration::MAX
    }

    fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str| {
            let text = text(name)?;
            Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
        };
        Self {
            plan: text("CHAOS_PLAN")
                .map(|plan| plan.parse().unwrap_or_else(|error| panic!("CHAOS_PLAN: {error}"))),
            sample: number("CHAOS_SAMPLE").and_then(|number: u64| usize::try_from(number).ok()),
            seed: number("CHAOS_SEED").unwrap_or(SEED),
            only: text("CHAOS_ONLY"),
            time: number("CHAOS_MINUTES").map_or(Duration::MAX, Duration::from_mins),
            lanes: number("CHAOS_LANES").and_then(|lanes: u64| usize::try_from(lanes).ok()).unwrap_or(LANES),
        }
    }

    fn workloads(&self) -> Vec<Workload> {
        let wanted = |workload: &Workload| match (&self.plan, &self.only) {
            (Some(plan), _) => plan.workload == workload.name,
            (None, Some(only)) => only.split(',').any(|name| name == workload.name),
            (None, None) => true,
        };
        let wanted: Vec<Workload> = workloads::all().into_iter().filter(wanted).collect();
        let names: Vec<&str> = workloads::all().iter().map(|workload| workload.name).collect();
        assert!(!wanted.is_empty(), "unknown workload; known: {names:?}");
        wanted
    }
}

/// Shared state of the lives of a campaign.
struct Campaign {
    recorder: Recorder,
    table: Mutex<Table>,
    broken: Mutex<Vec<String>>,
    panics: Arc<Mutex<Vec<String>>>,
    begun: Instant,
    time: Duration,
}

/// Runs the campaign of the environment. Panics with one line for every plan that violated an invariant.
pub(crate) async fn run() {
    let wish = Wish::read();
    let panics = hear_panics();
    let world = World::new("chaos").await;
    until_children_are_collected(&world).await;
    let recorder = Recorder::start(world.client.clone()).await;
    let campaign = Campaign {
        recorder,
        table: Mutex::default(),
        broken: Mutex::default(),
        panics,
        begun: Instant::now(),
        time: wish.time,
    };
    let workloads = wish.workloads();
    let learned = campaign.learn(&workloads, wish.lanes).await;
    let plans = Campaign::plans(&wish, &workloads, &learned);
    let (silent, loud): (Vec<Plan>, Vec<Plan>) = plans.into_iter().partition(Plan::is_silent);
    tokio::join!(
        campaign.all(loud, wish.lanes, &workloads, &learned),
        campaign.all(silent, SILENT_LANES, &workloads, &learned),
    );
    campaign.table.lock().unwrap().took = campaign.begun.elapsed();
    println!("{}", campaign.table.lock().unwrap());
    let broken = campaign.broken.lock().unwrap();
    let absent = campaign.table.lock().unwrap().absent();
    assert!(absent.is_empty() || !wish.is_whole(), "faults that never occurred: {absent:?}");
    assert!(broken.is_empty(), "{} lives with violations:\n{}", broken.len(), broken.join("\n"));
}

impl Campaign {
    /// Runs every workload without a fault.
    async fn learn(&self, workloads: &[Workload], lanes: usize) -> BTreeMap<&'static str, Whole> {
        let lives = stream::iter(workloads).map(|workload| async move {
            let lived = live(workload, None, None, &self.recorder).await;
            let whole = self.judge(workload, None, lived);
            (workload.name, whole.unwrap_or_else(|| panic!("{} fails without a fault", workload.name)))
        });
        lives.buffer_unordered(lanes).collect().await
    }

    fn plans(wish: &Wish, workloads: &[Workload], learned: &BTreeMap<&'static str, Whole>) -> Vec<Plan> {
        if let Some(plan) = &wish.plan {
            return vec![plan.clone()];
        }
        let all: Vec<Plan> =
            workloads.iter().flat_map(|workload| plans::of(workload, &learned[workload.name])).collect();
        let number = wish.sample.unwrap_or(all.len());
        println!("{number} of {} plans, CHAOS_SEED={}", all.len(), wish.seed);
        // Shuffled even if all plans run, so that lives of all workloads run at the same time.
        plans::sample(all, number, wish.seed)
    }

    async fn all(
        &self,
        plans: Vec<Plan>,
        lanes: usize,
        workloads: &[Workload],
        learned: &BTreeMap<&'static str, Whole>,
    ) {
        let lives = stream::iter(plans).map(|plan| async move {
            if self.begun.elapsed() > self.time {
                self.table.lock().unwrap().not_begun += 1;
                return;
            }
            let workload = workloads.iter().find(|workload| workload.name == plan.workload).unwrap();
            let lived = live(workload, Some(&plan), learned.get(workload.name), &self.recorder).await;
            self.judge(workload, Some(&plan), lived);
        });
        lives.buffer_unordered(lanes).collect::<Vec<()>>().await;
    }

    /// Counts a life and records its violations.
    fn judge(&self, workload: &Workload, plan: Option<&Plan>, mut lived: Lived) -> Option<Whole> {
        let panics = std::mem::take(&mut *self.panics.lock().unwrap());
        lived.evidence.fell = lived.evidence.fell.or((!panics.is_empty()).then(|| panics.join("; ")));
        let sentences = self.table.lock().unwrap().count(plan, &lived.struck, &lived.evidence);
        let what =
            plan.map_or_else(|| workload.name.to_owned(), |plan| format!("CHAOS_PLAN='{plan}' make chaos"));
        if !sentences.is_empty() {
            let namespace = &lived.evidence.namespace;
            let told = format!("{what}   # namespace {namespace}\n{}", sentences.join("\n"));
            println!("BROKEN {told}");
            let short =
                told.lines().filter(|line| !line.starts_with(['-', '+', ' ']) || line.starts_with("  "));
            self.broken.lock().unwrap().push(short.take(12).collect::<Vec<_>>().join("\n"));
        }
        lived.whole
    }
}

/// The garbage collector learns a new kind of owner only after a while. Before that, the children of a deleted project
/// stay.
async fn until_children_are_collected(world: &World) {
    let owner = world.apply("owner", prebuilt(1)).await;
    let mut child = ConfigMap::default();
    child.metadata.name = Some("child".to_owned());
    child.metadata.owner_references = owner.controller_owner_ref(&()).map(|owner| vec![owner]);
    world.api::<ConfigMap>().create(&PostParams::default(), &child).await.unwrap();
    world.delete::<ProjectDeployment>("owner").await;
    let collected = |maps: &[ConfigMap]| maps.iter().all(|map| map.name_any() != "child");
    world.until_list::<ConfigMap>("the child of a deleted project is gone", collected).await;
}

/// Records panics in the operator's own code, wherever they are caught. A timeout of a life is reported with its plan.
fn hear_panics() -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let told = heard.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", std::panic::Location::file);
        if file.starts_with("src/") {
            told.lock().unwrap().push(panic.to_string());
        }
        if !file.contains("harness") {
            before(panic);
        }
    }));
    heard
}
