//! The queue at work (I/O): builds are released oldest first and fair between namespaces. The Jobs are the queue: nothing is
//! remembered that a restart could lose.

use std::time::Duration;

use super::admit::Starts;
use super::schedule::Limits;
use crate::cluster::Cluster;

/// Pause before cleanups that wait, and builds that wait for one, are looked at again.
const AGAIN: Duration = Duration::from_secs(10);

/// What the queue works with.
pub struct Queue<'a> {
    /// The door to the API server.
    pub cluster: &'a Cluster,
    /// Builds are started one at a time.
    pub starts: &'a Starts,
    /// How many may run at a time.
    pub limits: Limits,
    /// Cleanups are started too.
    pub cleans: bool,
}

/// Releases builds, and cleanups that no build stands in the way of, whenever a Job changes.
pub async fn run(queue: &Queue<'_>) {
    let caches = queue.cluster.caches();
    let mut waits = false;
    loop {
        let changed = caches.jobs_changed.notified();
        if waits {
            // What is waited for is not always told by a Job.
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
                tracing::warn!(%error, "looking at the queue again");
                tokio::time::sleep(Duration::from_millis(500)).await;
                caches.jobs_changed.notify_one();
            }
        }
    }
}
