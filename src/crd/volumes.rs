//! `spec.run.volumes`: what the pods mount. No other kind of volume can be written: none reaches the node.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// A volume and where the app finds it. What is in it is not part of the version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.persistentVolumeClaim), has(self.secret), has(self.configMap)].filter(x, x).size() == 1").message("spec.run.volumes: each volume needs exactly one of persistentVolumeClaim, secret or configMap"), validation = Rule::new("!has(self.secret) || !has(self.readOnly) || self.readOnly").message("spec.run.volumes: a secret can only be read: leave readOnly out"), validation = Rule::new("!has(self.configMap) || !has(self.readOnly) || self.readOnly").message("spec.run.volumes: a configMap can only be read: leave readOnly out"))]
pub struct Volume {
    /// Name of the volume, for you to tell it apart.
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("spec.run.volumes: name must hold only a-z, 0-9 and '-', such as data"))]
    pub name: String,
    /// Directory that it is mounted at.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^/[^:\\x00-\\x1f\\x7f]+$') && !self.split('/').exists(p, p == '..')").message("spec.run.volumes: mountPath must be an absolute path other than '/', without '..' or ':', such as /data"))]
    pub mount_path: String,
    /// Path inside the volume that is mounted in place of its root. Changes of a Secret or ConfigMap do not reach a pod through it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[^/:\\x00-\\x1f\\x7f][^:\\x00-\\x1f\\x7f]*$') && !self.split('/').exists(p, p == '..')").message("spec.run.volumes: subPath must be a relative path without '..', such as uploads"))]
    pub sub_path: Option<String>,
    /// The app cannot write to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// A PersistentVolumeClaim of this namespace. One that only a single node or pod may write needs
    /// spec.rollout.strategy: Replace, for two pods mount it while a version takes over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<SecretName>,
    /// A Secret of this namespace: every key is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretName>,
    /// A ConfigMap of this namespace: every key is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<SecretName>,
}
