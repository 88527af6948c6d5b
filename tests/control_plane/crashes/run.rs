//! One life with one death, and the comparison with a life without.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::runtime::watcher;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use super::stories::Story;
use crate::harness::door::Noted;
use crate::harness::{Death, Operator, Options, Picture, World, prebuilt};

/// Lives that go on at the same time.
pub(crate) static LANES: Semaphore = Semaphore::const_new(8);

/// How a life without a death went.
pub(crate) struct Undisturbed {
    /// What it came to.
    pub picture: Picture,
    /// Its writes, in their order.
    pub writes: Vec<Noted>,
}

/// A project by which one sees that an operator works; it is stopped, and so costs no pod.
pub(crate) fn canary() -> Value {
    let mut spec = prebuilt(200);
    spec["state"] = json!("Stopped");
    spec
}

/// Runs the story without a death, then once for every death.
pub(crate) async fn every_death(story: &Story) {
    let whole = undisturbed(story).await;
    let all = whole.writes.len();
    let deaths = (1..=all).map(Death::After).chain((1..=all).map(Death::Before));
    let died = join_all(deaths.map(|death| disturbed(story, death, &whole))).await;
    let died: BTreeSet<String> = died.into_iter().flatten().collect();
    let expected: BTreeSet<String> =
        whole.writes.iter().map(|write| format!("{} {}", write.method, kind(&write.path))).collect();
    println!("{}: {all} writes, deaths at {died:?}", story.name);
    // Which kind is the n-th write differs a little from life to life; most kinds must have been hit all the same.
    let missed = expected.difference(&died).count();
    assert!(missed <= 1, "{}: deaths at {died:?} only, not at all of {expected:?}", story.name);
}

/// The story with an operator that lives.
pub(crate) async fn undisturbed(story: &Story) -> Undisturbed {
    let _lane = LANES.acquire().await.unwrap();
    let world = World::new(&format!("whole-{}", story.name)).await;
    begin(story, &world).await;
    let operator = Operator::start(&world).await;
    (story.then)(&world).await;
    let picture = world.picture("shop").await;
    assert!(picture.ports_agree, "{picture:#?}");
    operator.journal.at_rest().await;
    let writes = operator.journal.writes();
    assert!(!writes.is_empty());
    world.apply("canary", canary()).await;
    world.until_ready("canary", "True", "Stopped").await;
    assert_eq!(world.picture("shop").await, picture, "{}: it was not settled", story.name);
    Undisturbed { picture, writes }
}

async fn begin(story: &Story, world: &World) {
    let Some(before) = story.before else { return };
    let operator = Operator::start(world).await;
    before(world).await;
    operator.stop().await;
}

/// The story with a death; the write at which it died, none where the life took fewer writes than that.
async fn disturbed(story: &Story, death: Death, whole: &Undisturbed) -> Option<String> {
    let _lane = LANES.acquire().await.unwrap();
    let world = World::new(&format!("crash-{}", story.name)).await;
    begin(story, &world).await;
    let port = world.node_port("shop").await;
    let made = world.collect_jobs().await;
    let first = Operator::start_with(&world, Options { death: Some(death), ..Options::default() }).await;
    let (done, finished) = oneshot::channel::<()>();
    let what = format!("{} with death {death:?}", story.name);
    let life = async {
        (story.then)(&world).await;
        world.until_picture("shop", &whole.picture, &what).await;
        let _ = done.send(());
    };
    let journal = first.journal.clone();
    let successor = async {
        tokio::select! {
            () = first.journal.died() => {
                drop(first);
                Some(Operator::start(&world).await)
            }
            _ = finished => None,
        }
    };
    let ((), second) = tokio::join!(life, successor);
    let second = second?;
    world.apply("canary", canary()).await;
    world.until_ready("canary", "True", "Stopped").await;
    let what = format!("{what} at {} (looked at again)", journal.last_write());
    world.until_picture("shop", &whole.picture, &what).await;
    assert!(port.is_none() || world.node_port("shop").await == port, "{what}: another port");
    second.journal.at_rest().await;
    assert_eq!(made.lock().unwrap().len(), jobs_made(&whole.writes), "{what}: Jobs made");
    let (method, path) = journal
        .last_write()
        .split_once(' ')
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .unwrap();
    Some(format!("{method} {}", kind(&path)))
}

fn jobs_made(writes: &[Noted]) -> usize {
    writes
        .iter()
        .filter(|write| write.method == "POST" && write.path.ends_with("/jobs") && write.status == 201)
        .count()
}

/// The kind that a path is about, with the subresource.
fn kind(path: &str) -> String {
    let after = path.split('/').skip_while(|part| *part != "namespaces").skip(2).collect::<Vec<_>>();
    match after[..] {
        [kind, _, subresource] => format!("{kind}/{subresource}"),
        [kind, ..] => kind.to_owned(),
        [] => path.to_owned(),
    }
}

impl World {
    /// The uids of the Jobs that are made from now on, also of those that are deleted again.
    async fn collect_jobs(&self) -> Arc<Mutex<HashSet<String>>> {
        let before: HashSet<String> = self.list::<Job>().await.iter().filter_map(ResourceExt::uid).collect();
        let made = Arc::<Mutex<HashSet<String>>>::default();
        let collected = made.clone();
        let mut events = watcher(self.api::<Job>(), watcher::Config::default()).boxed();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Ok(watcher::Event::Apply(job) | watcher::Event::InitApply(job)) = event {
                    collected.lock().unwrap().extend(job.uid().filter(|uid| !before.contains(uid)));
                }
            }
        });
        made
    }

    /// The port of the Service of a project.
    pub(crate) async fn node_port(&self, project: &str) -> Option<i32> {
        let services = self.children::<k8s_openapi::api::core::v1::Service>(project).await;
        services.first()?.spec.as_ref()?.ports.as_ref()?.first()?.node_port
    }
}
