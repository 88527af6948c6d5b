//! The state of a project and its children, without what differs between namespaces. Two runs of the same story must
//! end in equal pictures. This module only reads.

use std::collections::BTreeMap;

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, Service};
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::watch::until_equal;
use super::{Kind, World};

/// Status, children and memory of one project.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// Conditions, as `type=status/reason`.
    pub conditions: Vec<String>,
    /// Other status fields: versions, requests, failure.
    pub status: Value,
    /// Number of children by kind that are not being deleted.
    pub counts: BTreeMap<String, usize>,
    /// Replicas and template of the Deployment.
    pub deployment: Value,
    /// Template and replicas of each ReplicaSet, in order.
    pub sets: Vec<Value>,
    /// True if Service, ledger and status agree on the node port.
    pub ports_agree: bool,
    /// The ledger without the port.
    pub ledger: Value,
}

impl World {
    /// Reads the state of a project.
    pub(crate) async fn picture(&self, name: &str) -> Picture {
        let object = self.api::<ProjectDeployment>().get_opt(name).await.unwrap();
        let status = object.and_then(|object| object.status).unwrap_or_default();
        let (revisions, deployments, sets, services) = tokio::join!(
            self.children::<ControllerRevision>(name),
            self.children::<Deployment>(name),
            self.children::<ReplicaSet>(name),
            self.children::<Service>(name)
        );
        let (jobs, pods) = tokio::join!(self.children::<Job>(name), self.children::<Pod>(name));
        let mut counts = BTreeMap::new();
        count(&mut counts, &revisions);
        count(&mut counts, &deployments);
        count(&mut counts, &sets);
        count(&mut counts, &services);
        count(&mut counts, &jobs);
        count(&mut counts, &pods);
        let ledger =
            revisions.iter().find(|object| object.name_any() == name).map(ledger).unwrap_or_default();
        let port = services.first().and_then(|service| service.spec.clone()?.ports?.first()?.node_port);
        let conditions = status
            .conditions
            .iter()
            .map(|condition| format!("{}={}/{}", condition.type_, condition.status, condition.reason));
        let history: BTreeMap<_, _> = status
            .history
            .iter()
            .map(|entry| (entry.version.clone(), (entry.state.clone(), entry.reason.clone())))
            .collect();
        let ids: Vec<String> = jobs.iter().map(ResourceExt::name_any).collect();
        let handled: BTreeMap<_, _> = status
            .handled
            .iter()
            .map(|(verb, handled)| (verb, (&handled.value, masked(&handled.outcome, &ids))))
            .collect();
        let mut sets: Vec<Value> = sets
            .iter()
            .map(|set| {
                set.spec.as_ref().map(|spec| seen(spec.template.as_ref(), spec.replicas)).unwrap_or_default()
            })
            .collect();
        sets.sort_by_key(ToString::to_string);
        Picture {
            conditions: conditions.collect(),
            status: json!({
                "version": status.version, "previous": status.previous_version, "desired": status.desired_version,
                "phase": status.phase, "image": status.image.as_ref().map(|image| image.rsplit('@').next().map(str::to_owned)),
                "history": history, "handled": handled, "failure": status.failure.map(|failure| (failure.version, failure.stage, failure.reason)),
                "source": status.source, "replicas": status.replicas,
            }),
            counts,
            deployment: deployments
                .first()
                .and_then(|object| object.spec.as_ref())
                .map(|spec| seen(Some(&spec.template), spec.replicas))
                .unwrap_or_default(),
            sets,
            ports_agree: port == status.node_port && ledger["port"].as_i64() == port.map(i64::from),
            ledger: comparable(ledger),
        }
    }

    /// Waits, by watch, until the project equals `expected`. Panics with both pictures otherwise.
    pub(crate) async fn until_picture(&self, name: &str, expected: &Picture, what: &str) {
        let changes = vec![
            self.changes::<ProjectDeployment>(),
            self.changes::<ControllerRevision>(),
            self.changes::<Deployment>(),
            self.changes::<ReplicaSet>(),
            self.changes::<Service>(),
            self.changes::<Job>(),
            self.changes::<Pod>(),
        ];
        if let Err(there) = until_equal(self.patience, changes, expected, || self.picture(name)).await {
            panic!("{what} (in {}) ended differently:\n{}", self.namespace, difference(expected, &there));
        }
    }

    /// Children of a project with this name, including those that are being deleted.
    pub(crate) async fn children<K: Kind>(&self, project: &str) -> Vec<K> {
        let labels = format!("{}={project}", names::PROJECT);
        let mut items = self.api::<K>().list(&ListParams::default().labels(&labels)).await.unwrap().items;
        items.sort_by_key(ResourceExt::name_any);
        items
    }
}

fn count<K: Resource<DynamicType = ()>>(counts: &mut BTreeMap<String, usize>, objects: &[K]) {
    counts.insert(K::kind(&()).into_owned(), objects.len());
}

/// Version and restart stamp of a template, and the desired number of pods.
fn seen(template: Option<&PodTemplateSpec>, replicas: Option<i32>) -> Value {
    let annotations =
        template.and_then(|template| template.metadata.as_ref()?.annotations.clone()).unwrap_or_default();
    json!({ "version": annotations.get(names::VERSION), "stamp": annotations.get(names::RESTARTED), "replicas": replicas })
}

fn ledger(object: &ControllerRevision) -> Value {
    let mut ledger: Value = object
        .annotations()
        .get(names::LEDGER)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for part in ["versions", "builds"] {
        for entry in ledger[part].as_object_mut().into_iter().flat_map(|entries| entries.values_mut()) {
            if let Some(life) = entry.as_object_mut() {
                life.remove("readyAt"); // A time.
            }
            if let Some(failed) = entry["failed"].as_object_mut() {
                failed.remove("message"); // The log of a pod differs between runs.
            }
        }
    }
    ledger
}

/// The ledger without what differs between namespaces.
fn comparable(mut ledger: Value) -> Value {
    if let Some(ledger) = ledger.as_object_mut() {
        ledger.remove("port");
        ledger.remove("object"); // A resource version.
    }
    ledger
}

/// Job names contain the uid of the project.
fn masked(text: &str, ids: &[String]) -> String {
    ids.iter().fold(text.to_owned(), |text, id| text.replace(id, "<build>"))
}

fn difference(expected: &Picture, there: &Picture) -> String {
    let (expected, there) = (format!("{expected:#?}"), format!("{there:#?}"));
    let lines = expected
        .lines()
        .map(|line| ('-', line))
        .filter(|(_, line)| !there.lines().any(|other| other == *line));
    let others = there
        .lines()
        .map(|line| ('+', line))
        .filter(|(_, line)| !expected.lines().any(|other| other == *line));
    let differing: Vec<String> = lines.chain(others).map(|(sign, line)| format!("{sign} {line}")).collect();
    format!("{}\nit is {there}", differing.join("\n"))
}
