//! What the platform owner has set: registries, build pods, and what children get besides. The same for every project.

pub mod build_pods;
pub mod copied;
mod repository;

use crate::protocol::order::{Profile, Remote};

/// What the platform adds to the shapes: addresses and images, the same for every project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// Registry that build pods push to.
    pub push_registry: String,
    /// It speaks plain HTTP.
    pub push_insecure: bool,
    /// The same registry as nodes pull from it.
    pub pull_registry: String,
    /// How BuildKit runs in build pods.
    pub profile: Profile,
    /// The daemon that the profile remote builds with.
    pub remote: Option<Remote>,
    /// Image of the build pods.
    pub buildkit_image: String,
    /// Image with the binary that does the work in build pods.
    pub operator_image: String,
    /// Mirror for docker.io in build pods.
    pub mirror: Option<String>,
    /// Sources must be at public addresses.
    pub public_sources: bool,
    /// CA certificates for build pods, PEM.
    pub ca_bundle: String,
    /// What build pods get and where they run.
    pub build_pods: build_pods::BuildPods,
    /// Which labels and annotations of a project its children get too.
    pub copy: copied::Copy,
    /// The records of all namespaces are seen, so that it is known of an image that nobody names it.
    pub sees_all: bool,
}
