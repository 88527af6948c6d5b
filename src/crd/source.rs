//! `spec.source`: where the source is.
#![allow(clippy::doc_markdown, reason = "kubectl explain prints the descriptions and shows no Markdown")]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use jiff::SignedDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// Where the source is. Set exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.git), has(self.archive), has(self.oci), has(self.configMap), has(self.image)].filter(x, x).size() == 1").message("spec.source needs exactly one of git, archive, oci, configMap or image"))]
pub struct Source {
    /// A Git repository, reached over http, https or ssh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// A tar.gz archive, downloaded over http or https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// An OCI artifact that contains the source, as flux push artifact creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci: Option<Oci>,
    /// A ConfigMap in the same namespace. Every key becomes a file. If source.tar.gz is the only key, the build unpacks
    /// that archive. For samples and small generated sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSource>,
    /// A prebuilt image: the operator builds nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// A Git repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) || !(self.url.startsWith('ssh://') || self.url.matches('^[^/:@]+@[^/:@]+:'))").message("spec.source.git.secretRef must name a Secret with identity and known_hosts if the URL uses ssh"), validation = Rule::new("!has(self.watch) || !has(self.ref) || !has(self.ref.commit)").message("spec.source.git.watch is for branches and tags: the operator always builds the commit in spec.source.git.ref.commit"), validation = Rule::new("!has(self.interval) || !has(self.ref) || !has(self.ref.commit)").message("spec.source.git.interval is for branches and tags: a commit never changes"))]
pub struct Git {
    /// URL of the repository: https://github.com/you/shop.git, ssh://git@github.com/you/shop.git or
    /// git@github.com:you/shop.git. Do not put a password in it: use secretRef.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^(https?://[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*(/[!-~]*)?|ssh://([A-Za-z0-9_][A-Za-z0-9._\\-]*@)?[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*/[!-~]+|[A-Za-z0-9_][A-Za-z0-9._\\-]*@[A-Za-z0-9][A-Za-z0-9.\\-]*:[A-Za-z0-9._~/][!-~]*)$')").message("spec.source.git.url must be an http://, https:// or ssh:// URL without password or blanks, such as https://github.com/you/shop.git or git@github.com:you/shop.git"))]
    pub url: String,
    /// What to check out. Default: the default branch. The operator looks up a branch or tag once. To look it up again,
    /// annotate the resource with doce.dev/deploy="@1" (any new value).
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitRef>,
    /// Directory of the repository to build. Default: the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.git.path must be a relative path inside the repository without '..', such as apps/shop"))]
    pub path: Option<String>,
    /// Which commits of a branch or tag make a new version. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Fetch submodules at the commits that the repository names, at most 50 and 3 levels deep. The build uses the
    /// Secret only for submodules on the host of url. If false, the directories of submodules stay empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
    /// Secret in this namespace that only the build pod mounts. Keys for https: token, or username and password. Keys
    /// for ssh: identity (a private key without passphrase) and known_hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the operator looks up the branch or tag again, such as 5m, at least 1m. Default: never. Each lookup is
    /// a short Job that waits behind all builds. Ready does not change until a lookup finds something new. If the
    /// last lookup's source does not build, the next lookup runs at least 10 min later. The operator does not look
    /// while the project is stopped or pinned, or after you cancelled its build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')").message("spec.source.git.interval must be a duration from 1m to 168h, such as 5m or 1h30m"))]
    pub interval: Option<String>,
}

/// Which files of a repository make a version. A commit that changes no watched file makes no new version and no build.
/// Without fields (watch: {}), the operator watches path and what path needs according to its workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// Files and directories to watch in addition to path, relative to the root of the repository, such as packages/ui.
    /// Default: what path needs according to the workspace of npm, pnpm, Yarn, Bun, Go, Cargo or uv; docs/sources.md
    /// has the rules. Files of package managers at the root (package.json, lock files, go.work, Cargo.toml and similar)
    /// are always watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(r"self.all(path, path.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*$') && !path.split('/').exists(p, p == '..' || p == '.'))").message("spec.source.git.watch.paths must be relative paths inside the repository without '.', '..' or a slash at the end, such as packages/ui"))]
    pub paths: Vec<WatchedPath>,
}

/// A file or directory of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WatchedPath(#[schemars(length(min = 1, max = 256))] pub String);

/// What to check out of a repository. Set exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1").message("spec.source.git.ref needs exactly one of branch, tag or commit"))]
pub struct GitRef {
    /// A branch. The operator builds its tip.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[!-~]+$') && !self.matches('[~^:?*\\[\\\\]') && !self.startsWith('-') && !self.contains('..') && !self.contains('@{') && self != '@' && self.split('/').all(p, p != '' && !p.startsWith('.') && !p.endsWith('.') && !p.endsWith('.lock'))").message("spec.source.git.ref.branch must be a branch name such as main: it cannot start with '-' and cannot contain blanks, '..' or characters that Git forbids (~ ^ : ? * [ \\\\ and @{)"))]
    pub branch: Option<String>,
    /// A tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[!-~]+$') && !self.matches('[~^:?*\\[\\\\]') && !self.startsWith('-') && !self.contains('..') && !self.contains('@{') && self != '@' && self.split('/').all(p, p != '' && !p.startsWith('.') && !p.endsWith('.') && !p.endsWith('.lock'))").message("spec.source.git.ref.tag must be a tag name such as v1.4.0: it cannot start with '-' and cannot contain blanks, '..' or characters that Git forbids (~ ^ : ? * [ \\\\ and @{)"))]
    pub tag: Option<String>,
    /// A commit, all 40 hex digits, or all 64 in a SHA-256 repository. The same commit is the same version, and the
    /// operator needs no lookup.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')").message("spec.source.git.ref.commit must be all 40 lower-case hex digits (64 of a SHA-256 repository), as git rev-parse HEAD prints them; for a branch or tag, set branch or tag instead"))]
    pub commit: Option<String>,
}

/// A tar.gz archive. If it contains a single directory and nothing else, as archives of GitHub and GitLab do, that
/// directory is the root of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.interval) || !has(self.sha256)").message("spec.source.archive.interval is for archives without sha256: with sha256 the content never changes"))]
pub struct Archive {
    /// URL of the archive, such as https://example.org/shop-1.4.0.tar.gz. Only http and https, without user name,
    /// password or query: put secrets into secretRef.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*(/[A-Za-z0-9._~%+,=:/!$&()*;\\-]*)?$')").message("spec.source.archive.url must be an http:// or https:// URL without user name, password, query or blanks, such as https://example.org/shop-1.4.0.tar.gz"))]
    pub url: String,
    /// SHA-256 of the archive, 64 hex digits, as sha256sum prints it. With it, the operator knows the version before
    /// any download. Without it, the operator looks up the archive once. To look it up again, annotate the resource
    /// with doce.dev/deploy="@1" (any new value).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{64}$')").message("spec.source.archive.sha256 must be 64 lower-case hex digits, as sha256sum prints them"))]
    pub sha256: Option<String>,
    /// Directory of the archive to build. Default: the root of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.archive.path must be a relative path inside the archive without '..', such as apps/shop"))]
    pub path: Option<String>,
    /// Secret in this namespace that only the build pod mounts. Keys: token, or username and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the operator looks up the archive again, such as 5m, at least 1m. Default: never. Each lookup is a
    /// short Job that waits behind all builds. Ready does not change until a lookup finds something new. If the last
    /// lookup's source does not build, the next lookup runs at least 10 min later. The operator does not look while the
    /// project is stopped or pinned, or after you cancelled its build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')").message("spec.source.archive.interval must be a duration from 1m to 168h, such as 5m or 1h30m"))]
    pub interval: Option<String>,
}

/// An OCI artifact whose layer of type application/vnd.cncf.flux.content.v1.tar+gzip is the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.interval) || !self.reference.contains('@')").message("spec.source.oci.interval is for tags: a digest never changes"))]
pub struct Oci {
    /// Reference of the artifact, best with its digest (name@sha256:…), which needs no lookup. The operator looks up a
    /// tag once. To look it up again, annotate the resource with doce.dev/deploy="@1" (any new value).
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^[a-zA-Z0-9][a-zA-Z0-9.\\-]*(:[0-9]{1,5})?/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,127})?(@sha256:[0-9a-f]{64})?$')").message("spec.source.oci.reference must be a reference with its registry and without oci://, such as ghcr.io/you/shop-source:1.4.0 or ghcr.io/you/shop-source@sha256:<64 hex digits>"))]
    pub reference: String,
    /// Directory of the artifact to build. Default: the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.oci.path must be a relative path inside the artifact without '..', such as apps/shop"))]
    pub path: Option<String>,
    /// Secret in this namespace, of type kubernetes.io/dockerconfigjson. Only the build pod mounts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the operator looks up the tag again, such as 5m, at least 1m. Default: never. Each lookup is a short
    /// Job that waits behind all builds. Ready does not change until a lookup finds something new. If the last
    /// lookup's source does not build, the next lookup runs at least 10 min later. The operator does not look while the
    /// project is stopped or pinned, or after you cancelled its build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')").message("spec.source.oci.interval must be a duration from 1m to 168h, such as 5m or 1h30m"))]
    pub interval: Option<String>,
}

/// A ConfigMap as source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// Name of a ConfigMap in this namespace. A change of its content makes a new version. If source.tar.gz is its only
    /// key, the build unpacks that archive.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("spec.source.configMap.name must be the name of a ConfigMap in this namespace"))]
    pub name: String,
}

/// A prebuilt image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Reference of the image, best with its digest (name@sha256:…), which needs no lookup. The operator resolves a tag
    /// to a digest once. To resolve it again, annotate the resource with doce.dev/deploy="@1" (any new value).
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^([a-zA-Z0-9][a-zA-Z0-9.\\-]*(:[0-9]{1,5})?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,127})?(@sha256:[0-9a-f]{64})?$')").message("spec.source.image.reference must be an image reference such as ghcr.io/you/shop:1.4.0 or ghcr.io/you/shop@sha256:<64 hex digits>"))]
    pub reference: String,
    /// Secret in this namespace, of type kubernetes.io/dockerconfigjson, for resolving a tag of a private image. Pods
    /// pull the image with run.imagePullSecrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
}

impl Source {
    /// The Secret that the build pod mounts to reach the source.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        let git = self.git.as_ref().and_then(|git| git.secret_ref.as_ref());
        let archive = self.archive.as_ref().and_then(|archive| archive.secret_ref.as_ref());
        let oci = self.oci.as_ref().and_then(|oci| oci.secret_ref.as_ref());
        let image = self.image.as_ref().and_then(|image| image.secret_ref.as_ref());
        git.or(archive).or(oci).or(image).map(|secret| secret.name.as_str())
    }

    /// Seconds between lookups of the source; none if it is not polled.
    pub fn interval(&self) -> Option<i64> {
        let git = self.git.as_ref().and_then(|git| git.interval.as_deref());
        let archive = self.archive.as_ref().and_then(|archive| archive.interval.as_deref());
        git.or(archive).or(self.oci.as_ref().and_then(|oci| oci.interval.as_deref())).and_then(seconds)
    }

    /// Directory of the source to build, as the spec has it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let git = self.git.as_ref().and_then(|git| git.path.as_deref());
        let archive = self.archive.as_ref().and_then(|archive| archive.path.as_deref());
        git.or(archive).or(self.oci.as_ref().and_then(|oci| oci.path.as_deref()))
    }
}

/// Seconds of a duration such as `1h30m`, at least 60; `None` if the text is not a duration.
fn seconds(duration: &str) -> Option<i64> {
    let seconds = duration.parse::<SignedDuration>().ok()?.as_secs();
    (seconds > 0).then_some(seconds.max(60))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn an_interval_is_parsed() {
        let read = ["1m", "5m", "1h30m", "90s", "2h"].map(seconds);
        assert_eq!(read, [Some(60), Some(300), Some(5400), Some(90), Some(7200)]);
        assert_eq!(["", "5", "m", "0m", "1d"].map(seconds), [None; 5]);
    }
}
