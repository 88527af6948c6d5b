//! `spec.build`: how the image is built.
#![allow(
    clippy::doc_markdown,
    reason = "the descriptions are read in kubectl explain, which shows no Markdown"
)]
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
#[x_kube(validation = Rule::new("self.strategy != 'Dockerfile' || (!has(self.command) && !has(self.framework) && !has(self.outputDirectory))").message("spec.build.command, framework and outputDirectory are for a Dockerfile that is generated: leave them out, or set spec.build.strategy to Auto or Generated"))]
pub struct Build {
    /// Auto: a Dockerfile if there is one, else one is generated. Dockerfile: there must be one. Generated: one is
    /// generated even if there is one.
    #[serde(default)]
    pub strategy: Strategy,
    /// Path of the Dockerfile below the source directory; left out: Dockerfile.prod, then Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@\\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@\\-]*)*$') && !self.split('/').exists(p, p == '..')").message("spec.build.dockerfile must be a relative path inside the source without '..', such as Dockerfile.prod"))]
    pub dockerfile: Option<String>,
    /// Stage of the Dockerfile to build; left out: the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9][A-Za-z0-9_.\\-]*$')").message("spec.build.target must be the name of a stage of the Dockerfile"))]
    pub target: Option<String>,
    /// Build arguments. They can be read in the image's history: nothing secret belongs here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(k, k.matches('^[A-Za-z_][A-Za-z0-9_]*$'))").message("the names in spec.build.args must hold only letters, digits and '_', and not start with a digit"))]
    pub args: BTreeMap<String, BoundedString>,
    /// Secrets that the steps of the build may read: with RUN --mount=type=secret,id=… in a Dockerfile of the source. In a
    /// Dockerfile that is generated every step of a package manager or build has them: an id of capital letters, digits and
    /// '_' such as NPM_TOKEN as an environment variable, any other id as the file /run/secrets/<id>, and the names of
    /// files that tools look for, such as .npmrc or .netrc, in their place. Values are in no layer, argument or log, and
    /// are not part of the version: a new token builds nothing again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub secrets: Vec<BuildSecret>,
    /// One line for the shell that takes the place of the usual build step of a generated Dockerfile, such as
    /// npm run build:prod. A program in Go or Rust must be left at /out/app. It can be read in the image's history:
    /// nothing secret belongs here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    #[x_kube(validation = Rule::new(r"self.matches('^[^\\x00-\\x1f\\x7f]+$')").message("spec.build.command must be one line without control characters, such as npm run build:prod: join commands with &&"))]
    pub command: Option<String>,
    /// Directory of the finished pages of a site, below the directory that is built, such as dist; left out: the one that
    /// its tool writes. The files in it are served, whatever the framework.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@\\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@\\-]*)*$') && !self.split('/').exists(p, p == '..')").message("spec.build.outputDirectory must be a relative path inside the source without '..', such as dist"))]
    pub output_directory: Option<String>,
    /// What a Dockerfile is generated for; left out: what the files of the source say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Change it to build the same source again, for example onto a newer base image.
    #[serde(default)]
    pub epoch: i64,
    /// Where the image goes.
    #[serde(default)]
    pub output: Output,
    /// CPU and memory of the build pod where the platform's own amounts do not do. It is not part of the version: a change
    /// builds nothing again, and counts from the next attempt on. An amount above the platform's ceiling is not lowered in
    /// silence: nothing is built, and Stalled says what the ceiling is. An amount that is left out is the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<BuildResources>,
    /// Seconds that one build may take, 60 to 86400, from the end of its wait in the queue on: the wait for a node and for
    /// images counts too.
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

/// A secret that the steps of a build may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildSecret {
    /// What steps ask for it by.
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches('^[.]?[A-Za-z0-9_][A-Za-z0-9_.\\-]*$') && !self.contains('..') && !self.startsWith('doce-')").message("spec.build.secrets: id must hold only letters, digits, '.', '_' and '-', such as NPM_TOKEN or .npmrc, and not begin with doce-"))]
    pub id: String,
    /// The Secret of this namespace that has the value. Only the build pod mounts it.
    pub secret_ref: SecretKey,
}

/// A key of a Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret; left out: the one that is named as the id.
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
    /// What the scheduler keeps free for the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<CpuAndMemory>,
    /// What the build cannot go beyond; with more memory than this it is ended.
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

/// An amount as in a Pod, without its page of description.
fn amount(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

// The defaults of the schema, one function a field: the API server writes them into every object.
impl Build {
    fn timeout() -> i64 {
        1800
    }
}
