//! Waits and reads besides single objects: lists, handled requests, verdicts. Waits are watches.

use doce_operator::crd::ProjectDeployment;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::PostParams;
use kube::runtime::reflector::{ObjectRef, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value;

use super::{Kind, World, condition, prebuilt};

impl World {
    /// Waits, by watch, until the objects of a kind meet `so`.
    pub(crate) async fn until_list<K: Kind + Sync>(&self, what: &str, so: impl Fn(&[K]) -> bool) -> Vec<K>
    where
        ObjectRef<K>: Send,
    {
        let (reader, writer) = store::<K>();
        let events = watcher(self.api::<K>(), watcher::Config::default()).default_backoff().reflect(writer);
        let mut events = std::pin::pin!(events);
        let waited = tokio::time::timeout(self.patience, async {
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
        if let Ok(items) = waited.await {
            return items;
        }
        let items = self.list::<K>().await;
        assert!(so(&items), "waited for the list of {}: {what}; it is {items:#?}", K::kind(&()));
        items // The machine stalled until the timeout.
    }

    /// Waits until the request is handled. Returns its outcome.
    pub(crate) async fn until_handled(&self, name: &str, verb: &str, value: &str) -> String {
        let (key, expected) = (verb.to_owned(), value.to_owned());
        let object = self
            .until(name, &format!("{verb}={value} is handled"), move |object: Option<&ProjectDeployment>| {
                let status = object.and_then(|object| object.status.as_ref());
                status
                    .and_then(|status| status.handled.get(&key))
                    .is_some_and(|request| request.value == expected)
            })
            .await;
        object.status.unwrap().handled[verb].outcome.clone()
    }

    /// Annotates like a user and waits for the outcome.
    pub(crate) async fn ask(&self, name: &str, verb: &str, value: &str) -> String {
        self.annotate(name, &format!("doce.dev/{verb}"), value).await;
        self.until_handled(name, verb, value).await
    }

    /// Applies a spec that becomes live without help. Returns its version.
    pub(crate) async fn serve(&self, name: &str, spec: Value) -> String {
        self.apply(name, spec).await;
        self.until_ready(name, "True", "Serving").await.status.unwrap().version.unwrap()
    }

    /// Applies a spec whose version does not become live. Returns the project when Ready has this reason.
    pub(crate) async fn fail(&self, name: &str, spec: Value, reason: &str) -> ProjectDeployment {
        self.apply(name, spec).await;
        self.until_ready(name, "False", reason).await
    }

    /// Waits until Ready is False and its message contains all these words.
    pub(crate) async fn until_says(&self, name: &str, words: &[&'static str]) -> ProjectDeployment {
        let (what, words) = (format!("Ready is False with {words:?}"), words.to_vec());
        self.until(name, &what, move |object: Option<&ProjectDeployment>| {
            object.and_then(|object| condition(object, "Ready")).is_some_and(|ready| {
                ready.status == "False" && words.iter().all(|word| ready.message.contains(word))
            })
        })
        .await
    }

    /// Waits until the Deployment has the template of a version.
    pub(crate) async fn until_in_place(&self, name: &str, version: &str) {
        let what = format!("the Deployment has {version}");
        self.until(name, &what, |deployment: Option<&Deployment>| {
            deployment.is_some_and(|deployment| version_of(deployment) == version)
        })
        .await;
    }

    /// Waits until there are exactly `count` `ReplicaSets`.
    pub(crate) async fn until_sets(&self, count: usize) -> Vec<ReplicaSet> {
        self.until_list(&format!("{count} ReplicaSets"), |sets: &[ReplicaSet]| sets.len() == count).await
    }

    /// Waits, by watch, until a project with this name has no child.
    pub(crate) async fn until_nothing_of(&self, project: &str) {
        let labels = format!("doce.dev/project={project}");
        tokio::join!(
            self.until_labelled::<ControllerRevision>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Deployment>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<ReplicaSet>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Service>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<NetworkPolicy>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Job>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Pod>(&labels, "none is left", <[_]>::is_empty),
        );
    }

    /// Node port of the Service of a project.
    pub(crate) async fn node_port(&self, project: &str) -> Option<i32> {
        let services = self.children::<Service>(project).await;
        services.first()?.spec.as_ref()?.ports.as_ref()?.first()?.node_port
    }

    /// A project that shows that an operator reconciles. It is stopped, so it needs no pod.
    pub(crate) async fn with_canary(&self) {
        let mut spec = prebuilt(200);
        spec["state"] = "Stopped".into();
        self.apply("canary", spec).await;
        self.until_ready("canary", "True", "Stopped").await;
    }

    /// App pods that are not being deleted.
    pub(crate) async fn app_pods(&self) -> Vec<Pod> {
        let pods = self.list::<Pod>().await.into_iter();
        pods.filter(|pod| {
            pod.labels().get("doce.dev/role").is_some_and(|role| role == "app")
                && pod.metadata.deletion_timestamp.is_none()
        })
        .collect()
    }
}

/// Message of a condition.
#[track_caller]
pub(crate) fn message(object: &ProjectDeployment, kind: &str) -> String {
    condition(object, kind).unwrap_or_else(|| panic!("no condition {kind}: {:#?}", object.status)).message
}

/// Failure reason and state of a version in the history.
pub(crate) fn state_of(object: &ProjectDeployment, version: &str) -> String {
    let history = object.status.as_ref().map(|status| status.history.clone()).unwrap_or_default();
    history.into_iter().find(|entry| entry.version == version).map(|entry| entry.state).unwrap_or_default()
}

/// Version of the pod template of a Deployment, in short form.
pub(crate) fn version_of(deployment: &Deployment) -> String {
    let template = deployment.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
    let version = &template.annotations.as_ref().unwrap()["doce.dev/version"];
    doce_operator::version::short(version)
}

/// Ports above those that an operator of these tests assigns. Each test that needs ports searches from its own start,
/// so that tests do not wait for each other and a cluster can be reused.
const OTHER_PORTS: std::ops::RangeInclusive<u16> = 32668..=32767;

impl World {
    /// Lets Services of another owner take neighbouring node ports. Returns the first port.
    pub(crate) async fn take_ports(&self, start: u16, names: &[&str]) -> u16 {
        for first in start..*OTHER_PORTS.end() {
            let mut taken = vec![];
            for (name, port) in names.iter().zip(first..) {
                match self.take_port(name, port).await {
                    Ok(()) => taken.push(*name),
                    Err(kube::Error::Api(status)) if status.message.contains("already allocated") => break,
                    Err(error) => panic!("{error}"),
                }
            }
            if taken.len() == names.len() {
                return first;
            }
            for name in taken {
                self.delete::<Service>(name).await;
            }
        }
        panic!("no {} node ports in a row are free from {start} on; start a new cluster", names.len());
    }

    async fn take_port(&self, name: &str, port: u16) -> Result<(), kube::Error> {
        let service = serde_json::json!({
            "metadata": { "name": name },
            "spec": { "type": "NodePort", "selector": { "app": "other" }, "ports": [{ "port": 80, "nodePort": port }] },
        });
        let service = serde_json::from_value(service).unwrap();
        self.api::<Service>().create(&PostParams::default(), &service).await.map(drop)
    }
}
