//! What the Deployment, its ReplicaSets and its pods say.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;
use serde_json::Value;

use super::super::world::{Rollout, Set, Trouble};
use super::pull;
use super::security::{IMAGE_RUNS_AS_ROOT, IMAGE_USER_UNKNOWN, explained};
use crate::crd::conditions::bounded;
use crate::desired::deployment::{Watch, apply};
use crate::desired::names;
use crate::desired::settled::settled;
use crate::desired::template;
use crate::project::Project;
use crate::record::Record;

/// Annotation of Deployment and ReplicaSets that says which ReplicaSet has the Deployment's template.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Restarts after which a crash loop is taken as certain.
const HOPELESS_RESTARTS: i32 = 3;

/// Reads the Deployment. `record` is that of the version in its template.
#[must_use]
pub fn rollout(
    project: &Project,
    object: &Deployment,
    record: Option<&Record>,
    sets: &[Arc<ReplicaSet>],
    pods: &[Arc<Pod>],
) -> Rollout {
    let (spec, status) = (object.spec.clone().unwrap_or_default(), object.status.clone().unwrap_or_default());
    let count = |number: Option<i32>| number.unwrap_or(0);
    let replicas = spec.replicas.unwrap_or(1);
    let current = status.observed_generation >= object.metadata.generation;
    let complete = count(status.updated_replicas) == replicas
        && count(status.available_replicas) == replicas
        && count(status.replicas) == replicas;
    let set = sets.iter().find(|set| is_current(object, set));
    let of_set: Vec<&Pod> =
        pods.iter().map(AsRef::as_ref).filter(|pod| set.is_some_and(|set| owned_by(pod, set))).collect();
    let conditions = status.conditions.unwrap_or_default();
    let trouble = of_set
        .iter()
        .find_map(|pod| waiting(pod))
        .or_else(|| of_set.iter().find_map(|pod| not_ready(pod)))
        .or_else(|| refused(&conditions))
        .map(|trouble| pull::explained(explained(trouble, record)))
        .map(|trouble| Trouble { message: bounded(&trouble.message, 600), ..trouble });
    let says = |reason| set.filter(|_| current).and_then(|set| progressing(&conditions, set, reason));
    let completed = says("NewReplicaSetAvailable");
    Rollout {
        version: version_in_place(object).map(str::to_owned),
        stamp: template_annotation(object, names::RESTARTED).map(str::to_owned),
        replicas,
        pods: count(status.replicas),
        serving: count(status.available_replicas),
        faithful: faithful(project, object, record, replicas),
        current,
        available: current && complete && replicas > 0,
        completed: completed.is_some(),
        completed_at: completed.and_then(|condition| Some(condition.last_update_time.as_ref()?.0)),
        deadline_over: says("ProgressDeadlineExceeded").is_some(),
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

/// How long the version in place is watched, as it was set when its template was written.
#[must_use]
pub fn watch_in_place(object: &Deployment) -> Watch {
    let spec = object.spec.as_ref();
    Watch {
        guard: spec.and_then(|spec| spec.min_ready_seconds).unwrap_or(0),
        deadline: spec.and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600),
    }
}

/// All that we set, but replicas, is still so. Without a record there is nothing to compare with.
fn faithful(project: &Project, object: &Deployment, record: Option<&Record>, replicas: i32) -> bool {
    let stamp = template_annotation(object, names::RESTARTED);
    let want = record.and_then(|record| apply(project, record, stamp, replicas, watch_in_place(object)));
    want.is_none_or(|want| serde_json::to_value(object).is_ok_and(|live| settled(&live, &without_kind(want))))
}

/// Kind and version are not part of what a typed object serializes to for every kind.
pub(super) fn without_kind(mut want: Value) -> Value {
    if let Some(map) = want.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    want
}

/// Reads a ReplicaSet. `records` are those of the project.
#[must_use]
pub fn set(deployment: Option<&Deployment>, records: &BTreeMap<String, Record>, object: &ReplicaSet) -> Set {
    let live = object.spec.as_ref().and_then(|spec| spec.template.as_ref());
    let annotations = live.and_then(|template| template.metadata.as_ref()?.annotations.as_ref());
    let annotation = |name: &str| annotations.and_then(|annotations| annotations.get(name).cloned());
    let (version, stamp) = (annotation(names::VERSION), annotation(names::RESTARTED));
    let asked = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let there = object.status.as_ref().map_or(0, |status| status.replicas);
    let record = version.as_ref().and_then(|version| records.get(version));
    let want = record.and_then(|record| template::complete(record, stamp.as_deref()));
    let live = serde_json::to_value(live).unwrap_or(Value::Null);
    Set {
        name: object.name_any(),
        pods: asked.max(there),
        current: deployment.is_none_or(|deployment| is_current(deployment, object)),
        faithful: want.is_none_or(|want| settled(&live, &want)),
        version,
        stamp,
    }
}

fn is_current(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let revision = deployment.annotations().get(REVISION);
    revision.is_some() && revision == set.annotations().get(REVISION)
}

fn owned_by(pod: &Pod, set: &ReplicaSet) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.owner_references().iter().any(|owner| Some(&owner.uid) == set.uid().as_ref())
}

/// The condition may be left over from the template before, even where the generation is observed
/// (kubernetes/kubernetes 49637): it counts only if it names the ReplicaSet of this template.
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

/// Quota, policy and the like: pods that the API server does not let in.
fn refused(conditions: &[DeploymentCondition]) -> Option<Trouble> {
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    Some(Trouble {
        reason: failure.reason.clone().unwrap_or_default(),
        message: failure.message.clone().unwrap_or_default(),
    })
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.into_iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    init.chain(status.into_iter().flat_map(|status| status.container_statuses.iter().flatten()))
}

/// Why a container of the pod waits, other than being made, or why the pod has no node.
#[must_use]
pub fn waiting(pod: &Pod) -> Option<Trouble> {
    let container = statuses(pod).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .clone()
            .filter(|reason| !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing"))?;
        let ended = exit(status).map(|exit| format!("; {exit}")).unwrap_or_default();
        Some(Trouble {
            message: bounded(
                &format!("{}{ended}", waiting.message.clone().unwrap_or_else(|| reason.clone())),
                4096,
            ),
            reason,
        })
    });
    container.or_else(|| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let unscheduled = conditions
            .iter()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
        Some(Trouble {
            reason: unscheduled.reason.clone().unwrap_or_default(),
            message: bounded(unscheduled.message.as_deref().unwrap_or_default(), 600),
        })
    })
}

/// The container runs, or ran, and is not ready.
fn not_ready(pod: &Pod) -> Option<Trouble> {
    statuses(pod).filter(|status| !status.ready).find_map(|status| {
        let ended = exit(status);
        let running = status.state.as_ref().is_some_and(|state| state.running.is_some());
        match ended {
            Some(ended) => Some(Trouble { reason: "ContainerExits".to_owned(), message: ended }),
            None if running => Some(Trouble {
                reason: "NotReady".to_owned(),
                message: "it runs, but its health check does not answer: does it listen on the port that PORT names, and does spec.run.health.path exist?".to_owned(),
            }),
            None => None,
        }
    })
}

/// How the container ended last, with its last words.
fn exit(status: &ContainerStatus) -> Option<String> {
    let state =
        |state: &Option<k8s_openapi::api::core::v1::ContainerState>| state.as_ref()?.terminated.clone();
    let ended = state(&status.state).or_else(|| state(&status.last_state))?;
    let words = ended.message.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let words = words.map(|words| format!(": {}", bounded(last_line(words), 300))).unwrap_or_default();
    let reason = ended
        .reason
        .filter(|reason| reason != "Error")
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    Some(format!("the app ended with exit code {}{reason}{words}", ended.exit_code))
}

fn last_line(words: &str) -> &str {
    words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(words)
}

/// The pod can never become ready: the name of its image is none, or it has crashed again and again.
fn hopeless(pod: &Pod, trouble: &Trouble) -> bool {
    let restarts = statuses(pod).map(|status| status.restart_count).max().unwrap_or(0);
    match trouble.reason.as_str() {
        "InvalidImageName" | IMAGE_RUNS_AS_ROOT | IMAGE_USER_UNKNOWN => true,
        "CrashLoopBackOff" => restarts >= HOPELESS_RESTARTS,
        _ => false,
    }
}
