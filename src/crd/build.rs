//! `spec.build`: how the image is built.
#![allow(clippy::doc_markdown, reason = "kubectl explain prints the descriptions and shows no Markdown")]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::output::Output;
use super::run::BoundedString;
use crate::protocol::framework::Framework;
use crate::protocol::order::Strategy;

/// How the image is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.strategy != 'Dockerfile' || (!has(self.command) && !has(self.framework) && !has(self.outputDirectory))").message("spec.build.command, framework and outputDirectory require a generated Dockerfile: leave them out, or set spec.build.strategy to Auto or Generated"))]
pub struct Build {
    /// Auto: use the Dockerfile of the source if there is one, else generate one. Dockerfile: require one. Generated:
    /// generate one even if there is one.
    #[serde(default)]
    pub strategy: Strategy,
    /// Path of the Dockerfile, relative to the source directory. Default: Dockerfile.prod, then Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@\\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@\\-]*)*$') && !self.split('/').exists(p, p == '..')").message("spec.build.dockerfile must be a relative path inside the source without '..', such as Dockerfile.prod"))]
    pub dockerfile: Option<String>,
    /// Stage of the Dockerfile to build. Default: the last stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9][A-Za-z0-9_.\\-]*$')").message("spec.build.target must be the name of a stage of the Dockerfile"))]
    pub target: Option<String>,
    /// Build arguments, at most 64, with names and values of 16384 bytes in total. The history of the image shows them, so
    /// do not put secrets here.
    // Linux gives a program no argument and no variable above 128 KiB (MAX_ARG_STRLEN, execve(2)). The order of a build pod is
    // one variable and has all of them as JSON, which writes a line break or a quote as two bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(k, k.matches('^[A-Za-z_][A-Za-z0-9_]*$') && size(k) <= 128)").message("the names in spec.build.args must contain only letters, digits and '_', must not start with a digit, and must have at most 128 characters"))]
    #[x_kube(validation = Rule::new(r"self.all(k, !self[k].matches('[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]'))").message("the values in spec.build.args must not contain control characters other than tabs and line breaks"))]
    #[x_kube(validation = Rule::new("self.map(k, size(k) + size(bytes(self[k]))).sum() <= 16384").message("the names and values in spec.build.args must have at most 16384 bytes in total: put long texts into files of the source, or into Secrets (spec.build.secrets)"))]
    pub args: BTreeMap<String, BoundedString>,
    /// Secrets that build steps may read. A Dockerfile of the source reads them with RUN --mount=type=secret,id=<id>.
    /// In a generated Dockerfile, every step that installs or builds gets them. There the id decides the form. Capital
    /// letters, digits and '_' (NPM_TOKEN) make an environment variable. The name of a file that tools look for
    /// (.npmrc, .netrc) makes that file. Any other id makes the file /run/secrets/<id>. No layer, argument or log
    /// contains the values. They are not part of the version: a new token does not trigger a build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub secrets: Vec<BuildSecret>,
    /// One shell line that replaces the build step of a generated Dockerfile, such as npm run build:prod. In Go and
    /// Rust it must write the program to /out/app. The history of the image shows it, so do not put secrets here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    #[x_kube(validation = Rule::new(r"self.matches('^[^\\x00-\\x1f\\x7f]+$')").message("spec.build.command must be one line without control characters, such as npm run build:prod: join commands with &&"))]
    pub command: Option<String>,
    /// Directory of a site's finished pages, relative to the source directory, such as dist. Default: the directory
    /// that the framework's tool writes. If set, the image serves the files in it, whatever the framework.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@\\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@\\-]*)*$') && !self.split('/').exists(p, p == '..')").message("spec.build.outputDirectory must be a relative path inside the source without '..', such as dist"))]
    pub output_directory: Option<String>,
    /// Framework to generate a Dockerfile for. Default: detected from the files of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Change this number to build the same source again, for example with a newer base image.
    #[serde(default)]
    pub epoch: i64,
    /// Repository of the image, the login for it, and the image cleanup.
    #[serde(default)]
    pub output: Output,
    /// CPU and memory of the build pod. Amounts that you leave out are the platform's. If an amount is above the
    /// platform's maximum, the operator does not build, and Stalled names the maximum. Not part of the version: a
    /// change does not trigger a build and applies from the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<BuildResources>,
    /// Seconds that a build may take after it leaves the build queue, 60 to 86400. The wait for a node and for images
    /// counts.
    #[x_kube(validation = Rule::new("self >= 60 && self <= 86400").message("spec.build.timeoutSeconds must be between 60 and 86400"))]
    #[serde(default = "Build::timeout")]
    pub timeout_seconds: i64,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            strategy: Strategy::Auto,
            dockerfile: None,
            target: None,
            args: BTreeMap::new(),
            secrets: vec![],
            command: None,
            output_directory: None,
            framework: None,
            epoch: 0,
            resources: None,
            output: Output::default(),
            timeout_seconds: Self::timeout(),
        }
    }
}

/// A secret that build steps may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildSecret {
    /// Id by which steps read the secret, such as NPM_TOKEN or .npmrc.
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches('^[.]?[A-Za-z0-9_][A-Za-z0-9_.\\-]*$') && !self.contains('..') && !self.startsWith('doce-')").message("spec.build.secrets: id must contain only letters, digits, '.', '_' and '-', such as NPM_TOKEN or .npmrc, and must not begin with doce-"))]
    pub id: String,
    /// Secret in this namespace that holds the value. Only the build pod mounts it.
    pub secret_ref: SecretKey,
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret. Default: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9_.\\-]+$') && !self.startsWith('..')").message("spec.build.secrets: secretRef.key must be a key of a Secret: letters, digits, '.', '_' and '-'"))]
    pub key: Option<String>,
}

/// CPU and memory of a build pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.requests) || !has(self.limits) || ((!has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0) && (!has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0))").message("spec.build.resources.requests must not be above spec.build.resources.limits"))]
pub struct BuildResources {
    /// CPU and memory that the scheduler reserves for the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<CpuAndMemory>,
    /// Maximum CPU and memory of the build. Kubernetes kills a build that uses more memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<CpuAndMemory>,
}

/// Amounts of CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CpuAndMemory {
    /// CPUs, such as 500m or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "amount")]
    #[x_kube(validation = Rule::new("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))").message("spec.build.resources: cpu must be an amount above 0 such as 500m or 2"))]
    pub cpu: Option<Quantity>,
    /// Bytes of memory, such as 512Mi or 4Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "amount")]
    #[x_kube(validation = Rule::new("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))").message("spec.build.resources: memory must be an amount above 0 such as 512Mi or 4Gi"))]
    pub memory: Option<Quantity>,
}

/// A quantity as in a Pod, without the page-long description of Kubernetes.
fn amount(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

// Defaults of the schema, one function per field: the API server writes them into every object.
impl Build {
    fn timeout() -> i64 {
        1800
    }
}
