//! Settings of the platform owner: registries, build pods, and what children get in addition. The same for every
//! project.

pub mod build_pods;
pub mod copied;
mod daemon_secret;
mod repository;

use crate::protocol::builder_key::{BUILDER_PORT, BuilderKey};
use crate::protocol::order::{Profile, Remote};
use crate::protocol::proxies::Proxies;

/// How build pods log in to the platform's registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PushLogin {
    /// With nothing but the Secret that a project names.
    #[default]
    None,
    /// With a token of their `ServiceAccount` for the audience doce-registry, as the embedded registry requires.
    Token,
}

/// Where builder pods run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolated {
    /// The namespace of builds.
    pub namespace: String,
    /// The headless Service there that gives each builder pod a name in the cluster's DNS.
    pub service: String,
}

impl Isolated {
    /// Address of the builder pod with this key, `host:port`.
    #[must_use]
    pub fn address(&self, key: &BuilderKey) -> String {
        format!("{}.{}.{}.svc:{BUILDER_PORT}", key.name(), self.service, self.namespace)
    }
}

/// Settings of the platform for all projects. They enter the desired shapes of the children.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// Registry to which build pods push.
    pub push_registry: String,
    /// Whether that registry uses plain HTTP.
    pub push_insecure: bool,
    /// How build pods log in to that registry.
    pub push_login: PushLogin,
    /// Address at which nodes pull from the same registry.
    pub pull_registry: String,
    /// Where and how BuildKit runs.
    pub profile: Profile,
    /// Where builder pods run, for the profile isolated.
    pub isolated: Option<Isolated>,
    /// The BuildKit daemon for the profile remote.
    pub remote: Option<Remote>,
    /// Image of the build pods.
    pub buildkit_image: String,
    /// Image of the operator. Build pods run its binary.
    pub operator_image: String,
    /// Architectures that this image has, as the label `kubernetes.io/arch` of nodes names them. Empty: those of all nodes.
    pub architectures: Vec<String>,
    /// Mirror for docker.io in build pods.
    pub mirror: Option<String>,
    /// Proxies for hosts outside.
    pub proxies: Proxies,
    /// Whether sources must have public addresses.
    pub public_sources: bool,
    /// CA certificates for build pods, PEM.
    pub ca_bundle: String,
    /// Settings of build pods.
    pub build_pods: build_pods::BuildPods,
    /// Which labels and annotations the operator copies from a project to its children.
    pub copy: copied::Copy,
    /// Whether the operator sees the records of all namespaces. Only then it knows that no record names an image.
    pub sees_all: bool,
}
