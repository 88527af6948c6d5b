//! `spec.build.output`: where a built image goes.
#![allow(
    clippy::doc_markdown,
    reason = "the descriptions are read in kubectl explain, which shows no Markdown"
)]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// Where a built image goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Repository that the image is pushed to and that nodes pull it from, with its registry and without a tag, such as
    /// registry.example.org/you/shop. Left out: the platform's registry, a repository of this project's own. Part of the
    /// build: another repository is a build of its own. Environments that write the same one share its images. In the
    /// platform's registry it must begin with the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[a-z0-9]([a-z0-9.\\-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+$') && (self.split('/')[0].contains('.') || self.split('/')[0].contains(':'))").message("spec.build.output.repository must be a repository with its registry, in lower case and without tag, digest or https://, such as registry.example.org/you/shop"))]
    pub repository: Option<String>,
    /// A Secret of this namespace, of type kubernetes.io/dockerconfigjson, that only pods of builds and cleanups mount:
    /// images and caches are pushed and deleted with it, and private base images pulled. Pods of the app pull with
    /// run.imagePullSecrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_secret_ref: Option<SecretName>,
    /// Delete: images of versions that no record names are deleted, from the embedded registry by its next sweep, from
    /// another one by a Job with pushSecretRef. Keep: nothing is deleted from the repository. Clusters that share a
    /// repository must write Keep: none of them sees the records of the others.
    #[serde(default)]
    pub cleanup: Cleanup,
}

/// What may become of images of versions that are no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cleanup {
    /// They may be deleted.
    #[default]
    Delete,
    /// They are left.
    Keep,
}
