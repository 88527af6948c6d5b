//! `spec.source`: where the source is.
#![allow(
    clippy::doc_markdown,
    reason = "the descriptions are read in kubectl explain, which shows no Markdown"
)]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::SecretName;

/// Where the source is. Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.git), has(self.archive), has(self.oci), has(self.configMap), has(self.image)].filter(x, x).size() == 1").message("spec.source needs exactly one of git, archive, oci, configMap or image"))]
pub struct Source {
    /// A Git repository that is reached over http, https or ssh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// A tar.gz archive that is downloaded over http or https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// An OCI artifact that holds the source, as flux push artifact writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci: Option<Oci>,
    /// A ConfigMap of the same namespace; every key becomes a file, or its only key source.tar.gz is unpacked. For
    /// samples and small generated sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSource>,
    /// A prebuilt image: nothing is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// A Git repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) || self.url.startsWith('http://') || self.url.startsWith('https://')").message("spec.source.git.secretRef must name a Secret with identity and known_hosts when the URL is one of ssh"), validation = Rule::new("!has(self.watch) || !has(self.ref) || !has(self.ref.commit)").message("spec.source.git.watch is for branches and tags: a commit that is named is built"), validation = Rule::new("!has(self.interval) || !has(self.ref) || !has(self.ref.commit)").message("spec.source.git.interval is for branches and tags: a commit never changes"))]
pub struct Git {
    /// URL of the repository: https://github.com/you/shop.git, ssh://git@github.com/you/shop.git or
    /// git@github.com:you/shop.git. Never with a password: that belongs into secretRef.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^(https?://[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*(/[!-~]*)?|ssh://([A-Za-z0-9_][A-Za-z0-9._\\-]*@)?[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*/[!-~]+|[A-Za-z0-9_][A-Za-z0-9._\\-]*@[A-Za-z0-9][A-Za-z0-9.\\-]*:[A-Za-z0-9._~/][!-~]*)$')").message("spec.source.git.url must be an http://, https:// or ssh:// URL without password or blanks, such as https://github.com/you/shop.git or git@github.com:you/shop.git"))]
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
    /// Which commits of a branch or tag are new versions; left out: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Fetch the submodules, too: at the commits that the repository names, up to 50 of them and 3 levels deep. The Secret is
    /// only used for those at the very host of url. Without it their directories stay empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
    /// A Secret of this namespace that only the build pod mounts. For https: token, or username and password. For ssh:
    /// identity (a private key without passphrase) and known_hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the branch or tag is looked at again by itself, such as 5m; at least 1m, and never where it is left out. A look is a short
    /// Job that waits behind all builds; what runs stays Ready until there is something new. Where the last state does
    /// not build it is looked at every 10 min at most, and not at all while the project is stopped, pinned or its build
    /// was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')").message("spec.source.git.interval must be a duration from 1m to 168h, such as 5m or 1h30m"))]
    pub interval: Option<String>,
}

/// What of a repository makes a version: a commit that changes nothing else is no new version, and nothing is built for it.
/// Without fields (watch: {}) that is path and what the workspace says that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// Files and directories besides path, such as packages/ui, from the root of the repository. Left out: those that the
    /// workspace of npm, pnpm, Yarn, Bun, Go, Cargo or uv says that path needs; docs/sources.md has the rules. The files of
    /// package managers at the root (package.json, lock files, go.work, Cargo.toml and the like) always count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(r"self.all(path, path.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*$') && !path.split('/').exists(p, p == '..' || p == '.'))").message("spec.source.git.watch.paths must be relative paths inside the repository without '.', '..' and a slash at the end, such as packages/ui"))]
    pub paths: Vec<WatchedPath>,
}

/// A file or directory of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WatchedPath(#[schemars(length(min = 1, max = 256))] pub String);

/// What to check out of a repository. Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1").message("spec.source.git.ref needs exactly one of branch, tag or commit"))]
pub struct GitRef {
    /// A branch; its tip is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[!-~]+$') && !self.matches('[~^:?*\\[\\\\]') && !self.startsWith('-') && !self.contains('..') && !self.contains('@{') && self != '@' && self.split('/').all(p, p != '' && !p.startsWith('.') && !p.endsWith('.') && !p.endsWith('.lock'))").message("spec.source.git.ref.branch must be a branch name such as main: it cannot start with '-' and cannot hold blanks, '..' or what Git forbids (~ ^ : ? * [ \\\\ and @{)"))]
    pub branch: Option<String>,
    /// A tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new(r"self.matches('^[!-~]+$') && !self.matches('[~^:?*\\[\\\\]') && !self.startsWith('-') && !self.contains('..') && !self.contains('@{') && self != '@' && self.split('/').all(p, p != '' && !p.startsWith('.') && !p.endsWith('.') && !p.endsWith('.lock'))").message("spec.source.git.ref.tag must be a tag name such as v1.4.0: it cannot start with '-' and cannot hold blanks, '..' or what Git forbids (~ ^ : ? * [ \\\\ and @{)"))]
    pub tag: Option<String>,
    /// A commit, all 40 hex digits, or all 64 of a repository with SHA-256 names. The same commit is the same version, and nothing is looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')").message("spec.source.git.ref.commit must be all 40 lower-case hex digits (64 of a SHA-256 repository), as git rev-parse HEAD prints them; write a short name under branch or tag"))]
    pub commit: Option<String>,
}

/// A tar.gz archive. One that holds a single directory and nothing beside it, as those of GitHub and GitLab do, begins
/// in that directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.interval) || !has(self.sha256)").message("spec.source.archive.interval is for archives without sha256: with it, nothing is looked up"))]
pub struct Archive {
    /// URL of the archive, such as https://example.org/shop-1.4.0.tar.gz. Only http and https, without user name,
    /// password or query: what is secret belongs into secretRef.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[A-Za-z0-9\\[][A-Za-z0-9.\\-\\[\\]:]*(/[A-Za-z0-9._~%+,=:/!$&()*;\\-]*)?$')").message("spec.source.archive.url must be an http:// or https:// URL without user name, password, query or blanks, such as https://example.org/shop-1.4.0.tar.gz"))]
    pub url: String,
    /// SHA-256 of the archive, 64 hex digits, as sha256sum prints it. With it the version is known before anything is
    /// downloaded; without it the archive is looked at once, and again when annotated with doce.dev/deploy="@1" (any
    /// new value).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{64}$')").message("spec.source.archive.sha256 must be 64 lower-case hex digits, as sha256sum prints them"))]
    pub sha256: Option<String>,
    /// Directory of the archive to build from; where it begins, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.archive.path must be a relative path inside the archive without '..', such as apps/shop"))]
    pub path: Option<String>,
    /// A Secret of this namespace that only the build pod mounts: token, or username and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the archive is looked at again by itself, such as 5m; at least 1m, and never where it is left out. A look is a short
    /// Job that waits behind all builds; what runs stays Ready until there is something new. Where the last state does
    /// not build it is looked at every 10 min at most, and not at all while the project is stopped, pinned or its build
    /// was cancelled.
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
    /// Reference of the artifact, best with its digest (name@sha256:…): then nothing has to be looked up. A tag is
    /// resolved once: annotate the resource with doce.dev/deploy="@1" (any new value) to look again.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^[a-zA-Z0-9][a-zA-Z0-9.\\-]*(:[0-9]{1,5})?/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,127})?(@sha256:[0-9a-f]{64})?$')").message("spec.source.oci.reference must be a reference with its registry and without oci://, such as ghcr.io/you/shop-source:1.4.0 or ghcr.io/you/shop-source@sha256:<64 hex digits>"))]
    pub reference: String,
    /// Directory of the artifact to build from; the root where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*(/[A-Za-z0-9._][A-Za-z0-9._+@ \\-]*)*/?$') && !self.split('/').exists(p, p == '..')").message("spec.source.oci.path must be a relative path inside the artifact without '..', such as apps/shop"))]
    pub path: Option<String>,
    /// A Secret of this namespace, of type kubernetes.io/dockerconfigjson, that only the build pod mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// How often the tag is looked at again by itself, such as 5m; at least 1m, and never where it is left out. A look is a short
    /// Job that waits behind all builds; what runs stays Ready until there is something new. Where the last state does
    /// not build it is looked at every 10 min at most, and not at all while the project is stopped, pinned or its build
    /// was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')").message("spec.source.oci.interval must be a duration from 1m to 168h, such as 5m or 1h30m"))]
    pub interval: Option<String>,
}

/// A ConfigMap as source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// Name of the ConfigMap in the namespace of this resource. A change of its content is a new version. Where
    /// source.tar.gz is its only key, that archive is unpacked.
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
    /// A Secret of this namespace, of type kubernetes.io/dockerconfigjson, that a tag of a private image is resolved with.
    /// Pods pull the image with run.imagePullSecrets.
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

    /// Seconds after which the source is to be looked at again.
    #[must_use]
    pub fn interval(&self) -> Option<i64> {
        let git = self.git.as_ref().and_then(|git| git.interval.as_deref());
        let archive = self.archive.as_ref().and_then(|archive| archive.interval.as_deref());
        git.or(archive).or(self.oci.as_ref().and_then(|oci| oci.interval.as_deref())).and_then(seconds)
    }

    /// Directory of the source to build from, as it is written.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let git = self.git.as_ref().and_then(|git| git.path.as_deref());
        let archive = self.archive.as_ref().and_then(|archive| archive.path.as_deref());
        git.or(archive).or(self.oci.as_ref().and_then(|oci| oci.path.as_deref()))
    }
}

/// Seconds of a duration such as `1h30m`, at least a minute; none where it is no such duration.
fn seconds(duration: &str) -> Option<i64> {
    let (mut sum, mut digits) = (0_i64, String::new());
    for c in duration.chars() {
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            digit => {
                digits.push(digit);
                continue;
            }
        };
        let number: i64 = digits.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && sum > 0).then_some(sum.max(60))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn an_interval_is_read_as_it_is_written() {
        let read = ["1m", "5m", "1h30m", "90s", "2h"].map(seconds);
        assert_eq!(read, [Some(60), Some(300), Some(5400), Some(90), Some(7200)]);
        assert_eq!(["", "5", "m", "0m", "1d"].map(seconds), [None; 5]);
    }
}
