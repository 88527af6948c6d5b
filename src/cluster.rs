//! The only access to the API server: this file and those below it send every request of the operator. Nothing here
//! decides.

mod body;
mod bounded;
pub mod builder_jobs;
pub mod cache;
pub mod caches;
pub mod config_maps;
pub mod counted;
mod decoded;
pub mod error;
pub mod events;
pub mod fence;
mod fields;
mod freshness;
pub mod inventory;
pub mod leases;
pub mod live_projects;
pub mod lost_images;
pub mod ownership;
pub mod packed;
pub mod probe_events;
pub mod pulses;
mod reads;
pub mod refused_ports;
pub mod repair_metadata;
pub mod repairs;
mod streamed;
pub mod token_reviews;
pub mod writes;

use std::sync::Arc;

use kube::Client;
use tokio::sync::mpsc;

use crate::crd::{ProjectDeployment, field_managers};
use crate::project::Key;
use crate::protocol::lost_list::Place;
pub use cache::Cache;
pub use caches::Caches;
pub use error::{Error, PortRefusal, Refused};

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

    /// Runs every watch and sends the projects to reconcile to `changed`, until its receiver is gone. `builds` is the
    /// namespace of builder pods, if there are any; `lost` is the ConfigMap with lost images.
    pub fn watch(
        &self,
        namespace: Option<String>,
        builds: Option<String>,
        lost: Option<Place>,
        changed: mpsc::Sender<Key>,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.caches.clone().watch(self.client.clone(), namespace, builds, lost, changed)
    }

    /// The caches, to share.
    #[must_use]
    pub fn shared_caches(&self) -> Arc<Caches> {
        self.caches.clone()
    }

    /// Stores the object that a read or a write of its status returned.
    pub fn remember(&self, mut written: ProjectDeployment) {
        field_managers::thin(written.metadata.managed_fields.as_mut());
        bounded::bound_project(&mut written);
        self.caches.resources.wrote(written);
    }

    /// The newest known state of the project; `None` if it is gone.
    #[must_use]
    pub fn project(&self, key: &Key) -> Option<Arc<ProjectDeployment>> {
        self.caches.resources.of(key).pop()
    }

    /// The caches that the watches fill.
    #[must_use]
    pub fn caches(&self) -> &Caches {
        &self.caches
    }
}
