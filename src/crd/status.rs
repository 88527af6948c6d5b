//! `status`: what a person reads. Nothing of the operator reads it to decide.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened, what serves and what to do next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectDeploymentStatus {
    /// Generation of the spec that this status is about; -1 before the operator has looked.
    pub observed_generation: i64,
    /// Where the project is on its way, in one word. For eyes only: read the conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The version that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_version: Option<String>,
    /// The version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version that a rollback to `previous` would go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// Since when what is asked for serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Time>,
    /// The image of the version that serves, by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The port on every node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
    /// Where the project answers, if the platform has named an address for its nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What the wanted version is made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The build that runs or ran last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildStatus>,
    /// The versions that are remembered, newest first, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Why the wanted version does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureStatus>,
    /// The requests that have been seen and what became of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, HandledRequest>,
    /// Pods there are, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Label selector of the pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Ready, Available, Built, PortAllocated, RollbackAvailable; Reconciling and Stalled only while true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a project is on its way, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// No pods, as asked.
    Stopped,
    /// A build waits for its turn.
    Queued,
    /// The source is looked up or built.
    Building,
    /// Pods are being started.
    Starting,
    /// What is asked for serves.
    Running,
    /// What is asked for failed.
    Failed,
}

/// What a version is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceStatus {
    /// Commit, content digest or image digest.
    pub digest: String,
    /// Branch, tag or commit as it was asked for.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// First line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildStatus {
    /// Its id, which is the name of its Job: kubectl logs job/<id> shows it, doce.dev/cancel="<id>@1" ends it.
    pub id: String,
    /// Why there is a build.
    pub reason: String,
    /// Its place in the queue while it waits: 1 is next. It is looked at again every 10 s and a second more for each build
    /// before it, at most every 5 min.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,
    /// When its Job was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When its Job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Reference of the artifact that its log is kept as, in the repository of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What somebody did to get a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TriggerKind {
    /// Changed the resource, or the ConfigMap that it names.
    #[default]
    Apply,
    /// Asked to look at the source again (doce.dev/deploy).
    Deploy,
    /// Asked to go back to it (doce.dev/rollback).
    Rollback,
    /// Asked to try it again (doce.dev/retry).
    Retry,
    /// Pushed to a source that is looked at by the clock (interval).
    Poll,
}

/// A version that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// The version.
    pub version: String,
    /// Building, Built, Serving, Live (served before), Failed or Cancelled.
    pub state: String,
    /// Commit, content digest or image digest.
    pub source: String,
    /// Branch, tag or commit as it was asked for.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// First line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What somebody did last to get this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerKind>,
    /// Who did it, as far as the API server tells: a field manager such as helm or kubectl-annotate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the version was first asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it served for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Time>,
    /// Seconds from the one to the other: queue, build and rollout together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why a version does not serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FailureStatus {
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Resolve, Fetch, Verify, Detect, Build, Push, Init or Rollout.
    pub stage: String,
    /// One word.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
    /// Last lines of the build's log, or of what the init command or the app said before it ended, at most 2 KiB.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HandledRequest {
    /// Value of the annotation that was seen last.
    pub value: String,
    /// What became of it.
    pub outcome: String,
}
