//! The only access to the API server: this file and those below it send every request of the operator. Nothing here
//! decides.

mod body;
pub mod cache;
pub mod caches;
pub mod config_maps;
pub mod error;
pub mod events;
pub mod fence;
mod fields;
mod freshness;
pub mod inventory;
pub mod leases;
pub mod live_projects;
pub mod ownership;
pub mod packed;
pub mod probe_events;
mod reads;
mod repair_metadata;
pub mod writes;

use std::sync::Arc;

use kube::Client;

use crate::crd::{ProjectDeployment, field_managers};
pub use cache::Cache;
pub use caches::Caches;
pub use error::{Error, Refused};

/// The cluster as the operator reaches it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    caches: Arc<Caches>,
    events: events::Recorder,
}

impl Cluster {
    /// Access through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let events = events::Recorder::new(client.clone());
        Self { client, caches: Arc::default(), events }
    }

    /// Access that sends writes only while `fence` is open.
    #[must_use]
    pub fn fenced(client: Client, fence: &fence::Fence) -> Self {
        Self::new(fence.guard(client))
    }

    /// The client, for the watch of the resource itself.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The caches, for the watches that fill them.
    #[must_use]
    pub fn shared_caches(&self) -> Arc<Caches> {
        self.caches.clone()
    }

    /// Stores the object that a read or a write of its status returned.
    pub fn remember(&self, mut written: ProjectDeployment) {
        field_managers::thin(written.metadata.managed_fields.as_mut());
        self.caches.resources.wrote(written);
    }

    /// The newest known state of the project with this uid; `None` if it is gone.
    #[must_use]
    pub fn newest(&self, namespace: &str, name: &str, uid: &str) -> Option<Arc<ProjectDeployment>> {
        let known = self.caches.resources.of(&(namespace.to_owned(), name.to_owned()));
        known.into_iter().find(|object| object.metadata.uid.as_deref() == Some(uid))
    }

    /// The caches that the watches fill.
    #[must_use]
    pub fn caches(&self) -> &Caches {
        &self.caches
    }
}
