//! The loop of the build queue (I/O): releases builds oldest first and fair between namespaces. The Jobs are the queue,
//! so a restart loses nothing.

use std::time::Duration;

use super::admit::BuildStarter;
use super::schedule::Limits;
use crate::cluster::Cluster;

/// Pause before waiting cleanups, and builds that wait for one, are checked again.
const AGAIN: Duration = Duration::from_secs(10);

/// Inputs of the queue.
pub struct Queue<'a> {
    /// Access to the API server.
    pub cluster: &'a Cluster,
    /// Serializes the starts of builds.
    pub starts: &'a BuildStarter,
    /// How many builds may run at a time.
    pub limits: Limits,
    /// Cleanups start too.
    pub cleans: bool,
}

/// Releases builds, and cleanups that no build blocks, whenever a Job changes.
pub async fn run(queue: &Queue<'_>) {
    let caches = queue.cluster.caches();
    let mut waits = false;
    caches.jobs_changed.notify_one(); // An earlier lead may have missed the last change.
    loop {
        let changed = caches.jobs_changed.notified();
        if waits {
            // Not every awaited change is a Job event.
            let _ = tokio::time::timeout(AGAIN, changed).await;
        } else {
            changed.await;
        }
        if !caches.jobs.synced() {
            continue;
        }
        match queue.starts.release(queue.cluster, queue.limits, queue.cleans).await {
            Ok(on) => waits = on,
            Err(error) => {
                tracing::warn!(%error, "cannot release builds from the queue, retrying");
                tokio::time::sleep(Duration::from_millis(500)).await;
                caches.jobs_changed.notify_one();
            }
        }
    }
}
