//! `spec.build.output`: where builds push images, and whether the operator deletes them.
#![allow(clippy::doc_markdown, reason = "kubectl explain prints the descriptions and shows no Markdown")]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// Repository of the image, the login for it, and the image cleanup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Repository to which builds push the image and from which nodes pull it, with its registry and without a tag,
    /// such as registry.example.org/you/shop. Default: a repository for this project in the platform's registry. Part
    /// of the build key: another repository needs a build of its own. Environments with the same repository share its
    /// images. In the platform's registry it must begin with the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[a-z0-9]([a-z0-9.\\-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+$') && (self.split('/')[0].contains('.') || self.split('/')[0].contains(':'))").message("spec.build.output.repository must be a repository with its registry, in lower case and without tag, digest or https://, such as registry.example.org/you/shop"))]
    pub repository: Option<String>,
    /// Secret in this namespace, of type kubernetes.io/dockerconfigjson. Only build and cleanup pods mount it: they
    /// push and delete images and caches with it, and pull private base images. The app's pods pull with
    /// run.imagePullSecrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_secret_ref: Option<SecretName>,
    /// Delete: the operator deletes images that no kept version uses. The next sweep deletes them
    /// from the embedded registry, and a Job with pushSecretRef from any other. Keep: nothing is deleted from the
    /// repository. Clusters that share a repository must set Keep, because no cluster knows the versions of the others.
    #[serde(default)]
    pub cleanup: Cleanup,
}

/// What happens to images that no kept version uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cleanup {
    /// The operator may delete them.
    #[default]
    Delete,
    /// They stay.
    Keep,
}
