//! The queue of builds: the set of suspended Jobs, released oldest first and fair between namespaces, within one limit
//! for the whole cluster and one for each namespace. The Jobs are the queue: nothing is remembered that a restart could
//! lose.

use std::time::Duration;

use crate::reconcile::Shared;
use crate::reconcile::start::limits;

/// Releases builds whenever a Job changes.
pub async fn run(context: Shared) {
    let caches = context.cluster.caches();
    loop {
        caches.jobs_changed.notified().await;
        if !caches.jobs.synced() {
            continue;
        }
        if let Err(error) = context.starts.release(&context.cluster, limits(&context.config)).await {
            tracing::warn!(%error, "looking at the queue again");
            tokio::time::sleep(Duration::from_millis(500)).await;
            caches.jobs_changed.notify_one();
        }
    }
}
