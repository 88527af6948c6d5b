//! What tests wait for and read besides one object: lists, answered requests, verdicts. Waits are watches.

use doce_operator::crd::ProjectDeployment;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::runtime::reflector::{ObjectRef, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value;

use super::{Kind, PATIENCE, World, condition};

impl World {
    /// Waits, by watch, until the objects of a kind are as `so` says.
    pub async fn until_list<K: Kind + Sync>(&self, what: &str, so: impl Fn(&[K]) -> bool) -> Vec<K>
    where
        ObjectRef<K>: Send,
    {
        let (reader, writer) = store::<K>();
        let events = watcher(self.api::<K>(), watcher::Config::default()).default_backoff().reflect(writer);
        let mut events = std::pin::pin!(events);
        let waited = tokio::time::timeout(PATIENCE, async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                listed |= matches!(event, Ok(watcher::Event::InitDone));
                let items: Vec<K> = reader.state().iter().map(|item| item.as_ref().clone()).collect();
                if listed && so(&items) {
                    return items;
                }
            }
            panic!("the watch ended");
        });
        match waited.await {
            Ok(items) => items,
            Err(_) => panic!("waited for the list of {}: {what}; it is {:#?}", K::kind(&()), self.list::<K>().await),
        }
    }

    /// Waits until the request has been seen; returns what became of it.
    pub async fn until_handled(&self, name: &str, verb: &str, value: &str) -> String {
        let (key, expected) = (verb.to_owned(), value.to_owned());
        let object = self
            .until(name, &format!("{verb}={value} is handled"), move |object: Option<&ProjectDeployment>| {
                let status = object.and_then(|object| object.status.as_ref());
                status.and_then(|status| status.handled.get(&key)).is_some_and(|request| request.value == expected)
            })
            .await;
        object.status.unwrap().handled[verb].outcome.clone()
    }

    /// Annotates as a person does and waits for the answer.
    pub async fn ask(&self, name: &str, verb: &str, value: &str) -> String {
        self.annotate(name, &format!("doce.dev/{verb}"), value).await;
        self.until_handled(name, verb, value).await
    }

    /// Applies a spec that serves by itself and returns its version.
    pub async fn serve(&self, name: &str, spec: Value) -> String {
        self.apply(name, spec).await;
        self.until_ready(name, "True", "Serving").await.status.unwrap().version.unwrap()
    }

    /// Applies a spec whose version fails for good; returns the project then.
    pub async fn fail(&self, name: &str, spec: Value, reason: &str) -> ProjectDeployment {
        self.apply(name, spec).await;
        self.until_ready(name, "False", reason).await
    }

    /// Waits until there are just `count` `ReplicaSets`.
    pub async fn until_sets(&self, count: usize) -> Vec<ReplicaSet> {
        self.until_list(&format!("{count} ReplicaSets"), |sets: &[ReplicaSet]| sets.len() == count).await
    }

    /// Waits for a Job that is none of `before`.
    pub async fn until_new_job(&self, before: &[Job]) -> Job {
        let is_new = |job: &&Job| before.iter().all(|old| old.uid() != job.uid());
        let jobs = self.until_list("a new Job", |jobs: &[Job]| jobs.iter().any(|job| is_new(&job))).await;
        jobs.into_iter().find(|job| is_new(&job)).unwrap()
    }

    /// Pods of the app that are not on their way out.
    pub async fn app_pods(&self) -> Vec<Pod> {
        let pods = self.list::<Pod>().await.into_iter();
        pods.filter(|pod| pod.labels().get("doce.dev/role").is_some_and(|role| role == "app") && pod.metadata.deletion_timestamp.is_none()).collect()
    }
}

/// Message of a condition.
#[track_caller]
pub fn message(object: &ProjectDeployment, kind: &str) -> String {
    condition(object, kind).unwrap_or_else(|| panic!("no condition {kind}: {:#?}", object.status)).message
}

/// Why a version of the history failed, and its state.
pub fn state_of(object: &ProjectDeployment, version: &str) -> String {
    let history = object.status.as_ref().map(|status| status.history.clone()).unwrap_or_default();
    history.into_iter().find(|entry| entry.version == version).map(|entry| entry.state).unwrap_or_default()
}

/// The version of a Deployment's pod template, as people write it.
pub fn version_of(deployment: &Deployment) -> String {
    let template = deployment.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
    let version = &template.annotations.as_ref().unwrap()["doce.dev/version"];
    doce_operator::version::short(version)
}

impl World {
    /// Somebody else's Service takes a node port. Use ports above 32667, which no operator of these tests gives by itself.
    pub async fn take_port(&self, name: &str, port: u16) {
        let service = serde_json::json!({
            "metadata": { "name": name },
            "spec": { "type": "NodePort", "selector": { "app": "other" }, "ports": [{ "port": 80, "nodePort": port }] },
        });
        let service = serde_json::from_value(service).unwrap();
        self.api::<k8s_openapi::api::core::v1::Service>().create(&kube::api::PostParams::default(), &service).await.unwrap();
    }
}
