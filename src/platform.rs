//! Settings of the platform owner: registries, build pods, and what children get in addition. The same for every
//! project.

pub mod build_pods;
pub mod copied;
mod repository;

use crate::protocol::order::{Profile, Remote};

/// How build pods log in to the platform's registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PushLogin {
    /// With nothing but the Secret that a project names.
    #[default]
    None,
    /// With a token of their `ServiceAccount` for the audience doce-registry, as the embedded registry requires.
    Token,
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
    /// How BuildKit runs in build pods.
    pub profile: Profile,
    /// The BuildKit daemon for the profile remote.
    pub remote: Option<Remote>,
    /// Image of the build pods.
    pub buildkit_image: String,
    /// Image of the operator. Build pods run its binary.
    pub operator_image: String,
    /// Mirror for docker.io in build pods.
    pub mirror: Option<String>,
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
