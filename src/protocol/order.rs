//! What a build pod is told to do. It holds no secret and nothing that only one of operator and pod understands.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::framework::Framework;

mod builder;
pub mod cleanup;

pub use builder::{Profile, Remote};

/// One build, as the operator writes it into the Job (environment variable `DOCE_ORDER`, JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Where the source is.
    pub source: Source,
    /// Everything besides the source that makes the image what it is: with the digest of the source, the build key.
    pub settings: Settings,
    /// Repository that the image is pushed to, `host[:port]/path`, without tag.
    pub repository: String,
    /// The registry of `repository` speaks plain HTTP.
    #[serde(default)]
    pub insecure: bool,
    /// What this build replaces in the repository may be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleans: bool,
    /// Mirror for docker.io, `host[:port]`, plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The source must be at a public address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public_source: bool,
    /// Name of the Secret that is mounted below [`SECRET_DIR`]: what reaches the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How BuildKit runs in the pod.
    #[serde(default, skip_serializing_if = "Profile::is_rootless")]
    pub profile: Profile,
    /// The daemon that the profile `remote` builds with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
    /// Name of the Secret that is mounted below [`PUSH_SECRET_DIR`]: what reaches the registry of `repository` and those of
    /// private base images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<String>,
    /// What the steps of the build may ask for, each in a file below [`BUILD_SECRETS_DIR`] that is named as its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_secrets: Vec<BuildSecret>,
    /// Seconds that the Job has in all; the build ends itself 30 s earlier with a report.
    pub deadline_seconds: u64,
}

/// Environment variable of the build container that holds the order, as JSON.
pub const ORDER_ENV: &str = "DOCE_ORDER";

/// Where the source of a build is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Source {
    /// A repository, fetched over http, https or ssh.
    Git {
        /// URL without a password.
        url: String,
        /// What to check out.
        reference: Reference,
    },
    /// A tar.gz archive, downloaded over http or https.
    Archive {
        /// URL without user information and query.
        url: String,
        /// What the archive must be, `sha256:` and 64 hex digits; unset: whatever is there at the time of the build.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// An OCI artifact, by tag or digest.
    Oci {
        /// Reference with registry.
        reference: String,
    },
    /// The keys of a ConfigMap, mounted as files below [`CONFIG_MAP_DIR`].
    ConfigMap {
        /// Digest of the keys (see [`crate::version::files_digest`]); the mounted files must have it.
        digest: String,
    },
    /// A prebuilt image named by tag: the pod resolves it to a digest once and builds nothing.
    Image {
        /// Reference as the user wrote it.
        reference: String,
    },
}

/// Directory that a ConfigMap source is mounted at.
pub const CONFIG_MAP_DIR: &str = "/source";

/// Directory that the Secret of a source is mounted at.
pub const SECRET_DIR: &str = "/secrets/source";

/// Directory that the Secret of `spec.build.output` is mounted at.
pub const PUSH_SECRET_DIR: &str = "/secrets/push";

/// Directory that the Secrets of `spec.build.secrets` are mounted at.
pub const BUILD_SECRETS_DIR: &str = "/secrets/build";

/// One of `spec.build.secrets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildSecret {
    /// What a step asks for it by.
    pub id: String,
    /// Name of the Secret.
    pub secret: String,
    /// Key in the Secret.
    pub key: String,
}

/// Directory that the Secret with the certificates for a remote daemon is mounted at.
pub const REMOTE_SECRET_DIR: &str = "/secrets/buildkit";

/// File that the platform's extra CA certificates are written to for tools in the pod (environment `DOCE_CA_BUNDLE`, PEM).
pub const CA_BUNDLE_ENV: &str = "DOCE_CA_BUNDLE";

/// What to check out of a Git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Reference {
    /// Tip of a branch at the time of the build.
    Branch(String),
    /// Commit that a tag points to at the time of the build.
    Tag(String),
    /// A commit, 40 lower-case hex digits, or 64 of a repository with SHA-256 names.
    Commit(String),
    /// Tip of the repository's default branch at the time of the build.
    Default,
}

/// How the image is made. Part of the build key: a field that is at its default is left out of the canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Directory of the source that is the build context, relative, without `..`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The submodules of a Git repository belong to the source.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
    /// What of a Git repository makes a version; unset: all of a commit does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Which way to an image.
    #[serde(skip_serializing_if = "Strategy::is_auto")]
    pub strategy: Strategy,
    /// Dockerfile below the context; unset: `Dockerfile.prod`, then `Dockerfile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// Stage of the Dockerfile to build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Build arguments.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    /// Changed by a person who wants the same source built again.
    #[serde(skip_serializing_if = "is_zero")]
    pub epoch: i64,
    /// One line for `sh -c` that takes the place of a generated Dockerfile's usual build step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The framework that a Dockerfile is generated for; unset: what the files say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Ids of the secrets that steps may ask for. What the secrets hold is no part of the key: a token that is renewed builds
    /// nothing again.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The directory of the finished pages of a site; unset: what its tool says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    /// The repository, where a person named one. It is part of the key so that an image is never looked for in a place
    /// that it was not pushed to; the platform's own repository is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// What of a Git repository makes a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Watch {
    /// `path`, and what the workspace says that it needs.
    Workspace,
    /// `path`, and these files and directories. A list, as it was before there was anything else.
    #[serde(untagged)]
    Paths(BTreeSet<String>),
}

/// Which way leads from source to image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[clap(rename_all = "verbatim")]
pub enum Strategy {
    /// A Dockerfile if there is one, else one is generated.
    #[default]
    Auto,
    /// There must be a Dockerfile.
    Dockerfile,
    /// A Dockerfile is generated even if there is one.
    Generated,
}

impl Strategy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
