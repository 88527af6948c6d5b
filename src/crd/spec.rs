//! `spec`: what a person writes. Values that the API server can judge are refused at apply, with a sentence.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::build::{Build, BuildResources, BuildSecret, CpuAndMemory, SecretKey};
pub use super::output::{Cleanup, Output};
pub use super::run::{BoundedString, Health, HealthType, HttpHeader, Run, SecretName, Stop};
pub use super::source::{Archive, ConfigMapSource, Git, GitRef, Image, Oci, Source, Watch, WatchedPath};
use super::status::ProjectDeploymentStatus;

/// A web project that runs on this cluster: where its source is and how it runs. The operator builds the image, rolls
/// it out behind a node port that never changes, keeps the last two versions so that going back needs no build, and
/// says in status what happened and what to do next.
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
    doc = "A web project that runs on this cluster: where its source is and how it runs.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "What is asked for serves"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is or is not ready, in one word"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version", description = "The version that serves"),
    printcolumn(name = "Port", type_ = "integer", json_path = ".status.nodePort", description = "The port on every node, the same for the life of the project"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Desired", type_ = "string", priority = 1, json_path = ".status.desiredVersion", description = "The version that is asked for"),
    printcolumn(name = "Previous", type_ = "string", priority = 1, json_path = ".status.previousVersion", description = "The version that a rollback would go to"),
    printcolumn(name = "Message", type_ = "string", priority = 1, json_path = r#".status.conditions[?(@.type=="Ready")].message"#, description = "What happened and what to do next"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 40").message("metadata.name must be at most 40 characters, start with a letter and hold only a-z, 0-9 and '-': Services and Jobs are named after it")
)]
#[serde(rename_all = "camelCase")]
pub struct ProjectDeploymentSpec {
    /// Where the source is: exactly one of git, archive, oci, configMap or image.
    pub source: Source,
    /// Running, or Stopped: no pods, while the port and the versions are kept.
    #[serde(default)]
    pub state: State,
    /// How many pods. Leave it out of Git when an autoscaler sets it. 0 stops the project too.
    #[serde(default = "one")]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 1000").message("spec.replicas must be between 0 and 1000"))]
    pub replicas: i32,
    /// How the image is built. Not for source.image.
    #[serde(default)]
    pub build: Build,
    /// How the image runs. All of it, and nothing else, is part of the version besides the image.
    #[serde(default)]
    pub run: Run,
    /// How a new version takes over.
    #[serde(default)]
    pub rollout: Rollout,
    /// How the project is reached.
    #[serde(default)]
    pub expose: Expose,
    /// Run exactly this version, as status.history shows it (v9f2c41d7). source and run are not looked at meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65))]
    #[x_kube(validation = Rule::new("self.matches('^v?[0-9a-f]{6,64}$')").message("spec.pinnedVersion must be a version as status.history shows it, such as v9f2c41d7"))]
    pub pinned_version: Option<String>,
    /// What is remembered.
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
    /// No pods; port and versions are kept.
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
    /// Seconds that a version which never served before must stay ready before the old one leaves, 0 to 600. Both
    /// answer meanwhile.
    #[x_kube(validation = Rule::new("self >= 0 && self <= 600").message("spec.rollout.minReadySeconds must be between 0 and 600"))]
    #[serde(default = "Rollout::guard")]
    pub min_ready_seconds: i32,
    /// Return: a version that fails is left for the one that served last. Stay: it stays where it is.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Surge (when left out): the new pod is ready before an old one leaves, so both run for a while. Replace: all old pods
    /// end first, and nothing answers until the new ones are ready, for an app that must not run twice or whose volume
    /// only one pod can mount. Not part of the version.
    #[serde(default, skip_serializing_if = "Takeover::is_surge")]
    pub strategy: Takeover,
}

/// How the pods of a new version take over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Takeover {
    /// A new pod is ready before an old one leaves.
    #[default]
    Surge,
    /// The old pods end before a new one starts.
    Replace,
}

impl Takeover {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
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
    /// Go back to the version that served last.
    #[default]
    Return,
    /// Record the failure and move nothing.
    Stay,
}

/// How the project is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expose {
    /// The port on every node.
    #[serde(default)]
    pub node_port: NodePort,
}

/// The port on every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.mode == 'Fixed') == has(self.port)").message("spec.expose.nodePort.port goes with mode: Fixed, and mode: Fixed needs it"))]
pub struct NodePort {
    /// Auto: the operator picks a port once and keeps it. Fixed: the port below.
    #[serde(default)]
    pub mode: NodePortMode,
    /// The port for mode Fixed; it must lie in the API server's node port range, 30000 to 32767 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 65535").message("spec.expose.nodePort.port must be between 1 and 65535, and in the API server's node port range"))]
    pub port: Option<i32>,
}

/// Who picks the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodePortMode {
    /// The operator.
    #[default]
    Auto,
    /// The user.
    Fixed,
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// How many versions are remembered, 2 to 100. Those that run or that one may go back to at once are never forgotten.
    #[x_kube(validation = Rule::new("self >= 2 && self <= 100").message("spec.history.limit must be between 2 and 100"))]
    #[serde(default = "History::remembered")]
    pub limit: i32,
}

impl Default for History {
    fn default() -> Self {
        Self { limit: Self::remembered() }
    }
}

// The defaults of the schema, one function a field: the API server writes them into every object.
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
