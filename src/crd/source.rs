//! `spec.source`: where the source is.
#![allow(
    clippy::doc_markdown,
    reason = "the descriptions are read in kubectl explain, which shows no Markdown"
)]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Where the source is. Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.git), has(self.configMap), has(self.image)].filter(x, x).size() == 1").message("spec.source needs exactly one of git, configMap or image"))]
pub struct Source {
    /// A Git repository that is reached over http or https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// A ConfigMap of the same namespace; every key becomes a file. For samples and small generated sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSource>,
    /// A prebuilt image: nothing is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// A Git repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Git {
    /// URL of the repository, such as https://github.com/you/shop.git. Only http and https, without user name or
    /// password.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[A-Za-z0-9.\\-\\[\\]:]+(/[!-~]*)?$')").message("spec.source.git.url must be an http:// or https:// URL without user name, password or blanks, such as https://github.com/you/shop.git"))]
    pub url: String,
    /// What to check out; the default branch where it is left out. A branch or tag is looked up once: annotate the
    /// resource with doce.dev/deploy="@1" (any new value) to look again.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitRef>,
    /// Directory of the repository to build from; the root where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.git.path must be a relative path inside the repository without '..', such as apps/shop"))]
    pub path: Option<String>,
}

/// What to check out of a repository. Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1").message("spec.source.git.ref needs exactly one of branch, tag or commit"))]
pub struct GitRef {
    /// A branch; its tip is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9_][A-Za-z0-9._/@+\\-]*$') && !self.contains('..') && !self.endsWith('/') && !self.endsWith('.lock') && !self.contains('@{')").message("spec.source.git.ref.branch must be a branch name such as main: it cannot start with '-' and cannot hold blanks or '..'"))]
    pub branch: Option<String>,
    /// A tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9_][A-Za-z0-9._/@+\\-]*$') && !self.contains('..') && !self.endsWith('/') && !self.endsWith('.lock') && !self.contains('@{')").message("spec.source.git.ref.tag must be a tag name such as v1.4.0: it cannot start with '-' and cannot hold blanks or '..'"))]
    pub tag: Option<String>,
    /// A commit, all 40 hex digits. The same commit is the same version, and nothing is looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{40}$')").message("spec.source.git.ref.commit must be all 40 lower-case hex digits, as git rev-parse HEAD prints them; write a short name under branch or tag"))]
    pub commit: Option<String>,
}

/// A ConfigMap as source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// Name of the ConfigMap in the namespace of this resource. A change of its content is a new version.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("spec.source.configMap.name must be the name of a ConfigMap of this namespace"))]
    pub name: String,
}

/// A prebuilt image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Reference of the image, best with its digest (name@sha256:…): then nothing has to be looked up. A tag is
    /// resolved to a digest once: annotate the resource with doce.dev/deploy="@1" (any new value) to look again.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^([a-zA-Z0-9][a-zA-Z0-9.\\-]*(:[0-9]{1,5})?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,127})?(@sha256:[0-9a-f]{64})?$')").message("spec.source.image.reference must be an image reference such as ghcr.io/you/shop:1.4.0 or ghcr.io/you/shop@sha256:<64 hex digits>"))]
    pub reference: String,
}
