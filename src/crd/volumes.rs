//! `spec.run.volumes`: what the pods mount. There is no other kind of volume, so that none reaches the node.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// A volume and its mount path. Its content is not part of the version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.persistentVolumeClaim), has(self.secret), has(self.configMap)].filter(x, x).size() == 1").message("spec.run.volumes: each volume needs exactly one of persistentVolumeClaim, secret or configMap"), validation = Rule::new("!has(self.secret) || !has(self.readOnly) || self.readOnly").message("spec.run.volumes: a secret is always read-only: leave readOnly out"), validation = Rule::new("!has(self.configMap) || !has(self.readOnly) || self.readOnly").message("spec.run.volumes: a configMap is always read-only: leave readOnly out"))]
pub struct Volume {
    /// Name of the volume, unique in the list.
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("spec.run.volumes: name must contain only a-z, 0-9 and '-', such as data"))]
    pub name: String,
    /// Directory where the app finds the volume.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^/[^:\\x00-\\x1f\\x7f]+$') && !self.split('/').exists(p, p == '..')").message("spec.run.volumes: mountPath must be an absolute path other than '/', without '..' or ':', such as /data"))]
    pub mount_path: String,
    /// Path inside the volume to mount instead of its root. Changes of a Secret or ConfigMap do
    /// not reach a pod through it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[^/:\\x00-\\x1f\\x7f][^:\\x00-\\x1f\\x7f]*$') && !self.split('/').exists(p, p == '..')").message("spec.run.volumes: subPath must be a relative path without '..', such as uploads"))]
    pub sub_path: Option<String>,
    /// If true, the app cannot write to the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// A PersistentVolumeClaim in this namespace. If only a single node or pod may write to it, set
    /// spec.rollout.strategy: Replace, because otherwise two pods mount it during a rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<SecretName>,
    /// A Secret in this namespace. Every key is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretName>,
    /// A ConfigMap in this namespace. Every key is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<SecretName>,
}
