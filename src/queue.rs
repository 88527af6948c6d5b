//! The queue of builds: the set of suspended Jobs, released oldest first and fair between namespaces, within one limit
//! for the whole cluster and one for each namespace. The Jobs are the queue: nothing is remembered that a restart could
//! lose.

use std::time::Duration;

use crate::reconcile::Shared;
use crate::reconcile::start::limits;

/// Pause before cleanups that wait, and builds that wait for one, are looked at again.
const AGAIN: Duration = Duration::from_secs(10);

/// Releases builds, and cleanups that no build stands in the way of, whenever a Job changes.
pub async fn run(context: Shared) {
    let caches = context.cluster.caches();
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
        let cleans = context.platform.sees_all;
        match context.starts.release(&context.cluster, limits(&context.config), cleans).await {
            Ok(on) => waits = on,
            Err(error) => {
                tracing::warn!(%error, "looking at the queue again");
                tokio::time::sleep(Duration::from_millis(500)).await;
                caches.jobs_changed.notify_one();
            }
        }
    }
}
