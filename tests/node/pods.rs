//! Pods of an app: their state, and when their containers ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt as _;
use kube::runtime::reflector::store;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::task::JoinHandle;

use crate::harness::{Namespaced, PATIENCE, World};

impl Namespaced {
    /// Waits, by watch, until the app pods in this namespace meet `so`.
    pub async fn until_pods(&self, what: &str, so: impl Fn(&[Pod]) -> bool) -> Vec<Pod> {
        self.until_pods_of("app", what, so).await
    }

    /// Waits, by watch, until the pods with this role (app, build, builder) meet `so`.
    pub async fn until_pods_of(&self, role: &str, what: &str, so: impl Fn(&[Pod]) -> bool) -> Vec<Pod> {
        let (reader, writer) = store::<Pod>();
        let labels = watcher::Config::default().labels(&format!("doce.dev/role={role}"));
        let events = watcher(self.api::<Pod>(), labels);
        let mut events = std::pin::pin!(events.default_backoff().reflect(writer));
        let waited = tokio::time::timeout(PATIENCE, async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                listed |= matches!(event, Ok(watcher::Event::InitDone));
                let pods: Vec<Pod> = reader.state().iter().map(|pod| pod.as_ref().clone()).collect();
                if listed && so(&pods) {
                    return pods;
                }
            }
            panic!("the watch ended");
        });
        if let Ok(pods) = waited.await {
            return pods;
        }
        let mut pods = self.list::<Pod>().await;
        pods.retain(|pod| pod.labels().get("doce.dev/role").is_some_and(|there| there == role));
        assert!(so(&pods), "timed out: {what}; {pods:#?}");
        pods
    }
}

/// True if the pod runs this version (short) and is not being deleted.
pub fn of_version(pod: &Pod, version: &str) -> bool {
    pod.labels().get("doce.dev/version").is_some_and(|label| label == version) && !is_ending(pod)
}

/// True if it is being deleted.
pub fn is_ending(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// True if it accepts requests and is not being deleted.
pub fn is_ready(pod: &Pod) -> bool {
    is(pod, "Ready", "True") && !is_ending(pod)
}

/// True if it is unschedulable.
pub fn is_unscheduled(pod: &Pod) -> bool {
    is(pod, "PodScheduled", "False")
}

fn is(pod: &Pod, kind: &str, truth: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == kind && condition.status == truth)
}

/// Records when containers ended with an exit code, and when Kubernetes reported it.
pub struct Exits {
    seen: Arc<Mutex<BTreeMap<Timestamp, Timestamp>>>,
    task: JoinHandle<()>,
}

impl Exits {
    /// Starts to record.
    pub fn watch(world: &World, code: i32) -> Self {
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let events = watcher(world.api::<Pod>(), watcher::Config::default().labels("doce.dev/role=app"));
        let noted = seen.clone();
        let task = tokio::spawn(async move {
            let mut pods = std::pin::pin!(events.default_backoff().applied_objects());
            while let Some(pod) = pods.next().await {
                let told = Timestamp::now();
                for end in pod.iter().flat_map(|pod| ends(pod, code)) {
                    noted.lock().unwrap().entry(end).or_insert(told);
                }
            }
        });
        Self { seen, task }
    }

    /// The ends so far, in whole seconds as Kubernetes reports them, each with the time of the report.
    pub fn seen(&self) -> BTreeMap<Timestamp, Timestamp> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Exits {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ends(pod: &Pod, code: i32) -> Vec<Timestamp> {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let states = containers.flat_map(|container| [&container.state, &container.last_state]);
    let end = |state: &ContainerState| {
        let ended = state.terminated.as_ref().filter(|ended| ended.exit_code == code)?;
        Some(ended.finished_at.as_ref()?.0)
    };
    states.filter_map(|state| end(state.as_ref()?)).collect()
}
