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
pub mod probe_events;
mod reads;
mod repair_metadata;
pub mod writes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::{Client, ResourceExt as _};

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
    /// Projects as our own last status write returned them, until the watch reports that write.
    reported: Arc<Mutex<HashMap<String, ProjectDeployment>>>,
}

impl Cluster {
    /// Access through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let events = events::Recorder::new(client.clone());
        Self { client, caches: Arc::default(), events, reported: Arc::default() }
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

    /// Stores the object that a status write returned.
    pub fn remember(&self, mut written: ProjectDeployment) {
        field_managers::thin(written.metadata.managed_fields.as_mut());
        let Some(uid) = written.uid() else { return };
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, written);
    }

    /// The newer of the watched object and the one that our own last status write returned.
    pub fn newest(&self, told: &Arc<ProjectDeployment>) -> Arc<ProjectDeployment> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = told.uid().unwrap_or_default();
        match reported.get(&uid) {
            Some(written) if cache::age(written) > cache::age(&**told) => Arc::new(written.clone()),
            Some(_) => {
                reported.remove(&uid);
                told.clone()
            }
            None => told.clone(),
        }
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// The caches that the watches fill.
    #[must_use]
    pub fn caches(&self) -> &Caches {
        &self.caches
    }
}
