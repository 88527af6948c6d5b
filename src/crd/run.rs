//! `spec.run`: how the image runs. All of it is part of the version.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::health::{Health, HealthType, HttpHeader};
use super::init_command::InitCommand;
use super::pods::Labels;
pub use super::stop::Stop;
use super::volumes::Volume;

/// How the image runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Port that the app listens on. The operator sets the environment variable PORT to it.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 65535").message("spec.run.port must be between 1 and 65535: the port that the app listens on"))]
    #[serde(default = "Run::listening")]
    pub port: i32,
    /// Replaces the image's entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub command: Vec<BoundedString>,
    /// Replaces the image's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub args: Vec<BoundedString>,
    /// Directory that the app starts in. Default: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub working_dir: Option<String>,
    /// Environment variables, as in a Pod. Do not set PORT here: the operator sets it to run.port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("self.all(variable, variable.name != 'PORT')").message("spec.run.env must not contain PORT: set spec.run.port instead"))]
    pub env: Vec<EnvVar>,
    /// ConfigMaps and Secrets whose keys become environment variables, as in a Pod. Their content is not part of the
    /// version: to pick up a change, annotate the resource with doce.dev/restart="@1" (any new value).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub env_from: Vec<EnvFromSource>,
    /// CPU and memory, as in a Pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Secrets of type kubernetes.io/dockerconfigjson for pulling the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Vec<SecretName>,
    /// What the pods may do. Auto (the default): the pods meet Pod Security "restricted" if the image has a numeric
    /// user other than root, else "baseline". Restricted: the operator rejects an image that runs as root. Baseline:
    /// user and capabilities as in the image, within "baseline".
    #[serde(default, skip_serializing_if = "Security::is_auto")]
    pub security: Security,
    /// When a pod is ready.
    #[serde(default)]
    pub health: Health,
    /// How a pod ends.
    #[serde(default, skip_serializing_if = "Stop::is_default")]
    pub stop: Stop,
    /// PersistentVolumeClaims, Secrets and ConfigMaps that the pods mount. Their content is not part of the version: if
    /// the app reads a file only once, annotate the resource with doce.dev/restart="@1" (any new value) after a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<Volume>,
    /// Command that runs once for each version before its pods start, such as database migrations. The live version
    /// keeps serving meanwhile. If the command fails, the new version does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_command: Option<InitCommand>,
    /// Labels of the pods and of the Deployment. A change makes a new version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new(r"self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message("spec.run.podLabels: keys and values must contain only letters, digits, '-', '_' and '.', and begin and end with a letter or digit; a key may have a prefix such as example.com/"), validation = Rule::new("self.all(k, !k.startsWith('doce.dev/') && !k.startsWith('app.kubernetes.io/') && k != 'pod-template-hash')").message("spec.run.podLabels must not contain doce.dev/…, app.kubernetes.io/… or pod-template-hash: the operator and Kubernetes set them"))]
    pub pod_labels: Labels,
    /// Annotations of the pods, such as those for a service mesh or Prometheus. A change makes a new version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new(r"self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))").message("spec.run.podAnnotations: keys must contain only letters, digits, '-', '_' and '.', and may have a prefix such as example.com/"), validation = Rule::new("self.all(k, !k.startsWith('doce.dev/') && !k.startsWith('kubectl.kubernetes.io/'))").message("spec.run.podAnnotations must not contain doce.dev/… or kubectl.kubernetes.io/…: the operator and kubectl set them"))]
    pub pod_annotations: BTreeMap<String, BoundedString>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            port: Self::listening(),
            command: vec![],
            args: vec![],
            working_dir: None,
            env: vec![],
            env_from: vec![],
            resources: None,
            image_pull_secrets: vec![],
            security: Security::Auto,
            health: Health::default(),
            stop: Stop::default(),
            volumes: vec![],
            init_command: None,
            pod_labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
        }
    }
}

/// What the pods may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Security {
    /// Pod Security "restricted" if the image has a numeric user other than root, else "baseline".
    #[default]
    Auto,
    /// Pod Security "restricted": the operator rejects an image that runs as root.
    Restricted,
    /// User and capabilities as in the image, within Pod Security "baseline".
    Baseline,
}

impl Security {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
    pub(crate) fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretName {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A text of at most 4,096 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BoundedString(#[schemars(length(max = 4096))] pub String);

// Defaults of the schema, one function per field: the API server writes them into every object.
impl Run {
    fn listening() -> i32 {
        3000
    }
}
