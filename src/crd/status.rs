//! `status`: what users read. The operator never reads it to decide.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened, what serves, and what to do next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectDeploymentStatus {
    /// Generation of the spec that this status describes; -1 until the operator has seen the object.
    pub observed_generation: i64,
    /// State of the project in one word, for humans. Scripts should read the conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The pinned version, else the version that the spec yields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_version: Option<String>,
    /// The version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The target of a rollback to `previous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// Since when the target serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Time>,
    /// Image of the version that serves, by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The port on every node; absent with spec.expose.nodePort.mode None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
    /// URL of the project, if it has a node port and the platform sets an address for its nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The source of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The latest build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildStatus>,
    /// The newest versions, newest first, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Why the target does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureStatus>,
    /// The handled requests and their outcomes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, HandledRequest>,
    /// Number of pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Label selector of the pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Ready, Available, Built, PortAllocated, RollbackAvailable. Reconciling and Stalled are present only while True.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl ProjectDeploymentStatus {
    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// Whether the condition of this type is True.
    #[must_use]
    pub fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }
}

/// State of a project in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The project is stopped or scaled to 0.
    Stopped,
    /// A build waits in the build queue.
    Queued,
    /// A lookup or build of the source runs.
    Building,
    /// The target's pods are starting.
    Starting,
    /// The target serves.
    Running,
    /// The target failed.
    Failed,
}

/// The source of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceStatus {
    /// Commit, content digest or image digest.
    pub digest: String,
    /// Branch, tag or commit, as in the spec.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// First line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When the commit was made: Git's committer date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Time>,
}

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildStatus {
    /// Its id, the name of its Job: kubectl logs job/<id> shows its log, doce.dev/cancel="<id>@1" cancels it.
    pub id: String,
    /// Why there is a build.
    pub reason: String,
    /// Position in the build queue while it waits: 1 is next. The operator updates it after 10 s plus one second per
    /// position, at most after 5 min.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,
    /// When its Job started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When its Job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Reference of the OCI artifact with its log, in the repository of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What caused a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TriggerKind {
    /// A change of the resource, or of the ConfigMap that it names.
    #[default]
    Apply,
    /// A request to look up the source again (doce.dev/deploy).
    Deploy,
    /// A request to roll back to it (doce.dev/rollback).
    Rollback,
    /// A request to retry it (doce.dev/retry).
    Retry,
    /// A change of a source that the operator polls (interval).
    Poll,
}

/// A version in the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// The version.
    pub version: String,
    /// Building, Built, Serving, Live (served before), Failed or Cancelled.
    pub state: String,
    /// Commit, content digest or image digest.
    pub source: String,
    /// Branch, tag or commit, as in the spec.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// First line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Author of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When the commit was made: Git's committer date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Time>,
    /// What caused this version last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerKind>,
    /// Who did it, if the API server records it: a field manager such as helm or kubectl-annotate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the operator first saw this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it first became live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Time>,
    /// Seconds from createdAt to readyAt: queue, build and rollout together.
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
    /// Reason in one word. docs/builds-logs.md lists those of builds.
    pub reason: String,
    /// What happened and what to do next.
    pub message: String,
    /// Last lines of the log of the build, of the init command or of the app before it exited, at most 2 KiB.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// A handled request and its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HandledRequest {
    /// Last seen value of the annotation.
    pub value: String,
    /// Its outcome.
    pub outcome: String,
}
