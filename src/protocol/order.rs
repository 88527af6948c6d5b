//! The order of a build pod: what it must build. It contains no secret, and nothing that only one side understands.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::framework::Framework;

mod builder;
pub mod cleanup;

pub use builder::{Profile, Remote};

/// One build, as the operator writes it into the Job (environment variable `DOCE_ORDER`, JSON).
#[expect(clippy::struct_excessive_bools, reason = "each is an order of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Where the source is.
    pub source: Source,
    /// Everything besides the source that determines the image. With the digest of the source it makes the build key.
    pub settings: Settings,
    /// Repository to push the image to, `host[:port]/path`, without tag.
    pub repository: String,
    /// The registry of `repository` speaks plain HTTP.
    #[serde(default)]
    pub insecure: bool,
    /// The build may delete what it replaces in the repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleans: bool,
    /// An image of the same key is gone from the registry, at least in part: what the registry still has does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuilds: bool,
    /// Mirror for docker.io, `host[:port]`, plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The source must have a public address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public_source: bool,
    /// Name of the Secret that is mounted at [`SECRET_DIR`]: the credentials for the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How BuildKit runs in the pod.
    #[serde(default = "Profile::of_old_orders", skip_serializing_if = "Profile::is_of_old_orders")]
    pub profile: Profile,
    /// Address of the builder pod for the profile `isolated`, `host:port`. The key for it is in the environment variable
    /// [`super::builder_key::BUILDER_KEY_ENV`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// The daemon for the profile `remote`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
    /// Name of the Secret that is mounted at [`PUSH_SECRET_DIR`]: the credentials for the registry of `repository` and
    /// for private base images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<String>,
    /// The platform's registry, `host[:port]`, if it requires the token of the pod's `ServiceAccount` that is mounted at
    /// [`super::registry_token::TOKEN_DIR`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_registry: Option<String>,
    /// `token_registry` speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token_registry_insecure: bool,
    /// Secrets for the steps of the build, each in a file of [`BUILD_SECRETS_DIR`] named by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_secrets: Vec<BuildSecret>,
    /// Deadline of the Job in seconds. The build ends itself 30 s earlier with a report.
    pub deadline_seconds: u64,
}

/// Environment variable of the build container that holds the order, as JSON.
pub const ORDER_ENV: &str = "DOCE_ORDER";

/// Location of the source of a build.
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
        /// Required digest of the archive, `sha256:` and 64 hex digits; unset: any content at the time of the build.
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
        /// Digest of the keys (see [`crate::version::files_digest`]); the mounted files must match it.
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
    /// Id by which a step requests it.
    pub id: String,
    /// Name of the Secret.
    pub secret: String,
    /// Key in the Secret.
    pub key: String,
}

/// Directory that the Secret with the certificates for a remote daemon is mounted at.
pub const REMOTE_SECRET_DIR: &str = "/secrets/buildkit";

/// File that the platform's extra CA certificates are written to for tools in the pod (environment `DOCE_CA_BUNDLE`,
/// PEM).
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

/// How to build the image. Part of the build key: the canonical form omits a field at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Directory of the source that is the build context, relative, without `..`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The source includes the submodules of a Git repository.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
    /// Which part of a Git repository makes a version; unset: the whole commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Whether to use a Dockerfile or to generate one.
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
    /// A number that a person changes to build the same source again.
    #[serde(skip_serializing_if = "is_zero")]
    pub epoch: i64,
    /// One line for `sh -c` that replaces the usual build step of a generated Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The framework for a generated Dockerfile; unset: detected from the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Ids of the secrets that steps may request. Their content is not part of the key: a renewed token causes no new
    /// build.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Output directory of a static site; unset: the one that its tool uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    /// The repository, if a person named one. It is part of the key, so that no build looks for an image in a
    /// repository that it was not pushed to. The platform's own repository is not part of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// Which part of a Git repository makes a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Watch {
    /// `path`, and what it needs according to its workspace.
    Workspace,
    /// `path`, and these files and directories. Serialized as a plain list, as in earlier releases.
    #[serde(untagged)]
    Paths(BTreeSet<String>),
}

/// How a source becomes an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[clap(rename_all = "verbatim")]
pub enum Strategy {
    /// Use the Dockerfile of the source if there is one, else generate one.
    #[default]
    Auto,
    /// Require a Dockerfile.
    Dockerfile,
    /// Generate a Dockerfile even if there is one.
    Generated,
}

impl Strategy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
