//! When each object of a build reached each state, as watches report it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::task::JoinSet;

use crate::harness::{Kind, World};

/// Seconds since the beginning, by what happened, in the order in which it happened.
pub(crate) type Times = Vec<(String, f64)>;

/// The watches of one build. Dropping it ends them.
pub(crate) struct Timeline {
    seen: Arc<Mutex<Seen>>,
    watches: JoinSet<()>,
}

struct Seen {
    begun: Instant,
    times: Times,
    /// The pod of the build.
    pod: Option<Pod>,
    /// Uids and generations of what was there before.
    before: Vec<(String, i64)>,
}

impl Seen {
    fn mark(&mut self, what: &str) {
        if self.times.iter().all(|(there, _)| there != what) {
            self.times.push((what.to_owned(), self.begun.elapsed().as_secs_f64()));
        }
    }

    fn is_old<K: Kind>(&self, object: &K) -> bool {
        let (uid, generation) =
            (object.uid().unwrap_or_default(), object.meta().generation.unwrap_or_default());
        self.before.contains(&(uid, generation))
    }
}

impl Timeline {
    /// Begins to watch the next build of this project.
    pub(crate) async fn begin(world: &World, project: &str) -> Self {
        let mut before = vec![];
        for object in world.list::<Deployment>().await {
            before.push((object.uid().unwrap(), object.metadata.generation.unwrap_or_default()));
        }
        for (uid, generation) in world
            .list::<Pod>()
            .await
            .into_iter()
            .filter_map(|pod| Some((pod.uid()?, pod.metadata.generation)))
        {
            before.push((uid, generation.unwrap_or_default()));
        }
        let seen = Seen { begun: Instant::now(), times: vec![], pod: None, before };
        let mut timeline = Self { seen: Arc::new(Mutex::new(seen)), watches: JoinSet::new() };
        let build = format!("doce.dev/project={project},doce.dev/role=build");
        let app = format!("doce.dev/project={project},doce.dev/role=app");
        timeline.watch::<Job>(world, &build, job);
        timeline.watch::<Pod>(world, &build, build_pod);
        timeline.watch::<Deployment>(world, &app, |seen, _| seen.mark("Deployment applied"));
        timeline.watch::<Pod>(world, &app, app_pod);
        timeline
    }

    fn watch<K: Kind + Sync>(&mut self, world: &World, labels: &str, note: fn(&mut Seen, &K)) {
        let events = watcher(world.api::<K>(), watcher::Config::default().labels(labels));
        let seen = self.seen.clone();
        self.watches.spawn(async move {
            let mut objects = std::pin::pin!(events.default_backoff().applied_objects());
            while let Some(object) = objects.next().await {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Ok(object) = object
                    && !seen.is_old(&object)
                {
                    note(&mut seen, &object);
                }
            }
        });
    }

    /// Ends with a ready project. Returns the times and the pod of the build.
    pub(crate) fn end(self) -> (Times, Pod) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.mark("Ready");
        (std::mem::take(&mut seen.times), seen.pod.take().expect("a build pod ran"))
    }
}

fn job(seen: &mut Seen, job: &Job) {
    let spec = job.spec.as_ref().unwrap();
    if job.status.as_ref().is_some_and(|status| status.completion_time.is_some()) {
        return;
    }
    seen.mark("build Job created");
    if spec.suspend == Some(false) {
        seen.mark("build Job started");
    }
}

fn build_pod(seen: &mut Seen, pod: &Pod) {
    seen.mark("build pod created");
    let status = pod.status.as_ref().unwrap();
    let state = |of: &Option<Vec<_>>| -> Option<ContainerState> {
        of.as_ref()?
            .first()
            .and_then(|container: &k8s_openapi::api::core::v1::ContainerStatus| container.state.clone())
    };
    if let Some(state) = state(&status.init_container_statuses)
        && state.terminated.is_some()
    {
        seen.mark("init container ended");
    }
    if let Some(state) = state(&status.container_statuses) {
        if state.running.is_some() {
            seen.mark("build container runs");
        }
        if state.terminated.is_some() {
            seen.mark("build container ended");
        }
    }
    seen.pod = Some(pod.clone());
}

fn app_pod(seen: &mut Seen, pod: &Pod) {
    seen.mark("app pod created");
    let ready = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    if ready.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
        seen.mark("app pod ready");
    }
}
