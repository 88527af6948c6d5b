//! The children as one look read them. Whatever is written because of that look names their uid and resource version, so
//! the API server rejects it if the child has changed since. Pure data.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{Resource, ResourceExt as _};

/// Children of one project; children of others are not among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// The Deployment.
    pub deployment: Option<Arc<Deployment>>,
    /// The Service.
    pub service: Option<Arc<Service>>,
    /// The NetworkPolicy.
    pub network_policy: Option<Arc<NetworkPolicy>>,
    /// The ledger.
    pub ledger: Option<Arc<ControllerRevision>>,
    /// The records.
    pub records: Vec<Arc<ControllerRevision>>,
    /// The Deployment's ReplicaSets.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// The Jobs, of every kind.
    pub jobs: Vec<Arc<Job>>,
}

/// The object of that name.
pub fn named<'a, K: Resource>(objects: &'a [Arc<K>], name: &str) -> Option<&'a Arc<K>> {
    objects.iter().find(|object| object.name_any() == name)
}
