//! Facts from the Deployment, its ReplicaSets and its pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use k8s_openapi::api::core::v1::{Container, Pod, PodTemplateSpec};
use kube::ResourceExt as _;
use serde_json::Value;

use super::super::observed::{Rollout, Set, Trouble};
use super::health::Check;
use super::outside::is_outside;
use super::pod::{self, Looked, given_up, hopeless, is_new, is_ready, not_ready, waiting};
use super::security::explained;
use super::{exposed_ports, pull};
use crate::desired::deployment::{RolloutTimings, apply};
use crate::desired::drift::{as_desired, without_kind};
use crate::desired::template;
use crate::desired::{meta, names};
use crate::memory::record::Record;
use crate::project::Project;
use crate::text::bounded;

/// Annotation of Deployment and ReplicaSets that says which ReplicaSet has the Deployment's template.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Reads the Deployment. `record` belongs to the version in its template.
pub fn rollout(
    project: &Project,
    object: &Deployment,
    record: Option<&Record>,
    sets: &[Arc<ReplicaSet>],
    pods: &[Arc<Pod>],
    looked: Looked<'_>,
) -> Rollout {
    let (spec, status) = (object.spec.clone().unwrap_or_default(), object.status.clone().unwrap_or_default());
    let count = |number: Option<i32>| number.unwrap_or(0);
    let replicas = spec.replicas.unwrap_or(1);
    let current = status.observed_generation >= object.metadata.generation;
    let complete = count(status.updated_replicas) == replicas
        && count(status.available_replicas) == replicas
        && count(status.replicas) == replicas;
    // With strategy Replace, the revision of the Deployment is that of the old ReplicaSet until the old pods have
    // ended.
    let set = sets.iter().find(|set| is_current(object, set) && has_template_of(object, set));
    // Kubernetes counts in the ReplicaSet first. If it has fewer pods than the Deployment says, the cached Deployment is old.
    let counted =
        |set: &Arc<ReplicaSet>| set.status.as_ref().map_or(0, |status| count(status.available_replicas));
    let backed = set.is_none_or(|set| counted(set) >= replicas);
    let of_set: Vec<&Pod> =
        pods.iter().map(AsRef::as_ref).filter(|pod| set.is_some_and(|set| owned_by(pod, set))).collect();
    let conditions = status.conditions.unwrap_or_default();
    let check = app(&spec.template).and_then(Check::of);
    let trouble = of_set
        .iter()
        .find_map(|pod| given_up(pod, check.as_ref(), looked).or_else(|| waiting(pod)))
        .or_else(|| of_set.iter().find_map(|pod| not_ready(pod, check.as_ref(), looked)))
        .or_else(|| refused(&conditions))
        .map(|trouble| pull::explained(explained(exposed_ports::explained(trouble, record), record)))
        .map(|trouble| Trouble { message: bounded(&trouble.message, 600), ..trouble });
    let ailing = of_set.iter().filter(|pod| !is_ready(pod) && !is_new(pod)).count();
    let ailing = ailing + usize::from(refused(&conditions).is_some());
    let says = |reason| set.filter(|_| current).and_then(|set| progressing(&conditions, set, reason));
    let completed = says("NewReplicaSetAvailable");
    let over = says("ProgressDeadlineExceeded");
    Rollout {
        version: version_in_place(object).map(str::to_owned),
        stamp: template_annotation(object, names::RESTARTED).map(str::to_owned),
        replicas,
        pods: count(status.replicas),
        updated: count(status.updated_replicas),
        ailing: i32::try_from(ailing).unwrap_or(i32::MAX),
        serving: count(status.available_replicas),
        in_sync: in_sync(project, object, record, replicas),
        current,
        available: current && complete && backed && replicas > 0,
        completed: completed.is_some(),
        completed_at: completed.and_then(|condition| Some(condition.last_update_time.as_ref()?.0)),
        deadline_over: over.is_some(),
        deadline_at: over.and_then(|condition| Some(condition.last_update_time.as_ref()?.0)),
        log: of_set.iter().find_map(|pod| pod::log(pod)).unwrap_or_default(),
        outside: trouble.as_ref().is_some_and(is_outside),
        missing_image: pull::missing(&of_set, record),
        judge_after: of_set.iter().filter_map(|pod| pod::judge_after(pod)).min(),
        hopeless: trouble.clone().filter(|trouble| of_set.iter().any(|pod| hopeless(pod, trouble))),
        trouble,
    }
}

/// The version of the Deployment's pod template.
#[must_use]
pub fn version_in_place(object: &Deployment) -> Option<&str> {
    template_annotation(object, names::VERSION)
}

fn template_annotation<'a>(object: &'a Deployment, name: &str) -> Option<&'a str> {
    let annotations = object.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// The rollout timings of the version in place, as set when its template was written.
#[must_use]
pub fn timings_in_place(object: &Deployment) -> RolloutTimings {
    let spec = object.spec.as_ref();
    RolloutTimings {
        guard: spec.and_then(|spec| spec.min_ready_seconds).unwrap_or(0),
        deadline: spec.and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600),
        startup: startup(spec.map(|spec| &spec.template)),
    }
}

/// How often in a row a pod of this template may fail its startup probe.
#[must_use]
pub fn startup(template: Option<&PodTemplateSpec>) -> Option<i32> {
    app(template?)?.startup_probe.as_ref()?.failure_threshold
}

fn app(template: &PodTemplateSpec) -> Option<&Container> {
    template.spec.as_ref()?.containers.iter().find(|container| container.name == names::APP)
}

/// All fields that the operator sets, except replicas, labels and owner, are unchanged. Without a record there is nothing to
/// compare with.
fn in_sync(project: &Project, object: &Deployment, record: Option<&Record>, replicas: i32) -> bool {
    let stamp = template_annotation(object, names::RESTARTED);
    let want = record.and_then(|record| apply(project, record, stamp, replicas, timings_in_place(object)));
    want.is_none_or(|want| {
        meta::same_copied(project, object)
            && serde_json::to_value(object)
                .is_ok_and(|live| as_desired(&live, &meta::without_marks(project, without_kind(want))))
    })
}

/// Reads a ReplicaSet. `records` are those of the project.
#[must_use]
pub fn set(deployment: Option<&Deployment>, records: &BTreeMap<String, Record>, object: &ReplicaSet) -> Set {
    let live = object.spec.as_ref().and_then(|spec| spec.template.as_ref());
    let annotations = live.and_then(|template| template.metadata.as_ref()?.annotations.as_ref());
    let annotation = |name: &str| annotations.and_then(|annotations| annotations.get(name).cloned());
    let (version, stamp) = (annotation(names::VERSION), annotation(names::RESTARTED));
    let desired = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let there = object.status.as_ref().map_or(0, |status| status.replicas);
    let record = version.as_ref().and_then(|version| records.get(version));
    let want = record.and_then(|record| template::complete(record, stamp.as_deref(), startup(live)));
    let live = serde_json::to_value(live).unwrap_or(Value::Null);
    Set {
        name: object.name_any(),
        pods: desired.max(there),
        current: deployment.is_none_or(|deployment| is_current(deployment, object)),
        in_sync: want.is_none_or(|want| as_desired(&live, &want)),
        revision: revision(object),
        version,
        stamp,
    }
}

/// Which of the Deployment's templates this one is, counted from 1.
#[must_use]
pub fn revision(set: &ReplicaSet) -> u64 {
    set.annotations().get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn is_current(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let revision = deployment.annotations().get(REVISION);
    revision.is_some() && revision == set.annotations().get(REVISION)
}

/// Compares as the Deployment controller does: equal except for the label that it adds.
fn has_template_of(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let Some(mut template) = set.spec.as_ref().and_then(|spec| spec.template.clone()) else { return false };
    if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
        labels.remove("pod-template-hash");
    }
    deployment.spec.as_ref().is_some_and(|spec| spec.template == template)
}

fn owned_by(pod: &Pod, set: &ReplicaSet) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.owner_references().iter().any(|owner| Some(&owner.uid) == set.uid().as_ref())
}

/// The condition may be left over from the previous template, even if the generation is observed
/// (kubernetes/kubernetes 49637). It counts only if it names the ReplicaSet of this template.
fn progressing<'a>(
    conditions: &'a [DeploymentCondition],
    set: &ReplicaSet,
    reason: &str,
) -> Option<&'a DeploymentCondition> {
    let name = format!("\"{}\"", set.name_any());
    conditions.iter().find(|condition| {
        condition.type_ == "Progressing"
            && condition.reason.as_deref() == Some(reason)
            && condition.message.as_ref().is_some_and(|message| message.contains(&name))
    })
}

/// The API server rejects pods because of a quota, a policy or the like.
fn refused(conditions: &[DeploymentCondition]) -> Option<Trouble> {
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    Some(Trouble {
        reason: failure.reason.clone().unwrap_or_default(),
        message: failure.message.clone().unwrap_or_default(),
    })
}
