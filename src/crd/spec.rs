//! `spec`: what users write. The API server rejects invalid values at apply, with a message that names the field.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::build::{Build, BuildResources, BuildSecret, CpuAndMemory, SecretKey};
pub use super::expose::{AllowedSource, Expose, NodePort, NodePortMode};
pub use super::output::{Cleanup, Output};
pub use super::run::{BoundedString, Health, HealthType, HttpHeader, Run, SecretName, Stop};
pub use super::source::{Archive, ConfigMapSource, Git, GitRef, Image, Oci, Source, Watch, WatchedPath};
use super::status::ProjectDeploymentStatus;

/// A web project on this cluster: where its source is and how it runs. The operator builds the image and rolls it out
/// behind a node port that never changes. It keeps the last two versions so that a rollback needs no build. Status says
/// what happened and what to do next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "doce.dev",
    version = "v1alpha1",
    kind = "ProjectDeployment",
    plural = "projectdeployments",
    namespaced,
    shortname = "pd",
    category = "doce",
    category = "all",
    status = "ProjectDeploymentStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A web project on this cluster: where its source is and how it runs.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "The target serves"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Reason of the condition Ready"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version", description = "The version that serves"),
    printcolumn(name = "Port", type_ = "integer", json_path = ".status.nodePort", description = "The port on every node, if the project has one. It never changes during the life of the project"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Desired", type_ = "string", priority = 1, json_path = ".status.desiredVersion", description = "The pinned version, else the version that the spec yields"),
    printcolumn(name = "Previous", type_ = "string", priority = 1, json_path = ".status.previousVersion", description = "The target of a rollback to previous"),
    printcolumn(name = "Message", type_ = "string", priority = 1, json_path = r#".status.conditions[?(@.type=="Ready")].message"#, description = "What happened and what to do next"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 40").message("metadata.name must be at most 40 characters, start with a letter and contain only a-z, 0-9 and '-': the operator names Services and Jobs after it")
)]
#[serde(rename_all = "camelCase")]
pub struct ProjectDeploymentSpec {
    /// Where the source is: exactly one of git, archive, oci, configMap or image.
    pub source: Source,
    /// Running, or Stopped: no pods. The port and the versions stay.
    #[serde(default)]
    pub state: State,
    /// Number of pods. 0 also stops the project. If an autoscaler sets it, leave it out of Git.
    #[serde(default = "one")]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 1000").message("spec.replicas must be between 0 and 1000"))]
    pub replicas: i32,
    /// How the image is built. Not used for source.image.
    #[serde(default)]
    pub build: Build,
    /// How the image runs. A version is the image and everything in run, and nothing else.
    #[serde(default)]
    pub run: Run,
    /// How a new version takes over.
    #[serde(default)]
    pub rollout: Rollout,
    /// How the project is reached.
    #[serde(default)]
    pub expose: Expose,
    /// Run exactly this version, as in status.history (v9f2c41d7). The operator ignores source and run meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65))]
    #[x_kube(validation = Rule::new("self.matches('^v?[0-9a-f]{6,64}$')").message("spec.pinnedVersion must be a version from status.history, such as v9f2c41d7"))]
    pub pinned_version: Option<String>,
    /// How many versions to keep.
    #[serde(default)]
    pub history: History,
}

fn one() -> i32 {
    1
}

/// Whether the project runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Pods run.
    #[default]
    Running,
    /// No pods. Port and versions stay.
    Stopped,
}

/// How a new version takes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Seconds that a version has to become ready, 10 to 3600.
    #[x_kube(validation = Rule::new("self >= 10 && self <= 3600").message("spec.rollout.deadlineSeconds must be between 10 and 3600"))]
    #[serde(default = "Rollout::deadline")]
    pub deadline_seconds: i32,
    /// Seconds that a version that was never live must stay ready before the old pods end, 0 to 600. Both versions
    /// answer meanwhile.
    #[x_kube(validation = Rule::new("self >= 0 && self <= 600").message("spec.rollout.minReadySeconds must be between 0 and 600"))]
    #[serde(default = "Rollout::guard")]
    pub min_ready_seconds: i32,
    /// Return: after a failure, go back to the last live version. Stay: leave the failed version in place.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Surge (the default): a new pod is ready before an old one ends, so both run for a while. Replace: all old pods
    /// end first, and nothing answers until the new ones are ready. Use it for an app that must not run twice or whose
    /// volume only one pod can mount. Not part of the version.
    #[serde(default, skip_serializing_if = "Takeover::is_surge")]
    pub strategy: Takeover,
}

/// How the pods of a new version take over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Takeover {
    /// A new pod is ready before an old one ends.
    #[default]
    Surge,
    /// All old pods end before a new one starts.
    Replace,
}

impl Takeover {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
    fn is_surge(&self) -> bool {
        *self == Self::Surge
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            deadline_seconds: Self::deadline(),
            min_ready_seconds: Self::guard(),
            on_failure: OnFailure::Return,
            strategy: Takeover::Surge,
        }
    }
}

/// What happens when a version fails on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// Go back to the last live version.
    #[default]
    Return,
    /// Record the failure and leave the version in place.
    Stay,
}

/// How many versions to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Number of versions to keep, 2 to 100. The operator never drops a version that runs or whose pods it keeps for a
    /// rollback.
    #[x_kube(validation = Rule::new("self >= 2 && self <= 100").message("spec.history.limit must be between 2 and 100"))]
    #[serde(default = "History::remembered")]
    pub limit: i32,
}

impl Default for History {
    fn default() -> Self {
        Self { limit: Self::remembered() }
    }
}

// Defaults of the schema, one function per field: the API server writes them into every object.
impl Rollout {
    fn deadline() -> i32 {
        300
    }

    fn guard() -> i32 {
        10
    }
}

impl History {
    fn remembered() -> i32 {
        10
    }
}
