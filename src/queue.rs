//! The queue of builds: the set of suspended Jobs, released oldest first within one limit for the whole cluster. The
//! Jobs are the queue: nothing is remembered that a restart could lose.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::reconcile::Shared;

/// Releases builds whenever a Job changes.
pub async fn run(context: Shared) {
    let caches = context.cluster.caches();
    loop {
        caches.jobs_changed.notified().await;
        if !caches.jobs.synced() {
            continue;
        }
        let limit = usize::try_from(context.config.build_limit).unwrap_or(usize::MAX);
        let of_a_project =
            |job: &Job| job.owner_references().iter().any(|owner| caches.projects.has(&owner.uid));
        for job in next(&caches.jobs.all(), limit, of_a_project) {
            if let Err(error) = context.cluster.release_job(&job).await {
                tracing::warn!(%error, job = job.name_any(), "looking at the queue again");
                tokio::time::sleep(Duration::from_millis(500)).await;
                caches.jobs_changed.notify_one();
            }
        }
    }
}

/// The Jobs to release now: oldest first, so many that no more than `limit` run, and none that `may_start` denies.
#[must_use]
pub fn next(jobs: &[Arc<Job>], limit: usize, may_start: impl Fn(&Job) -> bool) -> Vec<Arc<Job>> {
    let open: Vec<&Arc<Job>> =
        jobs.iter().filter(|job| job.metadata.deletion_timestamp.is_none() && !is_finished(job)).collect();
    let (mut queued, running): (Vec<_>, Vec<_>) = open.into_iter().partition(|job| is_suspended(job));
    queued.retain(|job| may_start(job));
    queued.sort_by_key(|job| (job.creation_timestamp(), job.namespace(), job.name_any()));
    queued.into_iter().take(limit.saturating_sub(running.len())).cloned().collect()
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

fn is_finished(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(name: &str, suspended: bool, finished: bool, second: i64) -> Arc<Job> {
        let conditions = if finished { json!([{ "type": "Complete", "status": "True" }]) } else { json!([]) };
        let created = jiff::Timestamp::from_second(second).unwrap().to_string();
        let job = json!({
            "metadata": { "name": name, "namespace": "n", "creationTimestamp": created },
            "spec": { "suspend": suspended, "template": {} },
            "status": { "conditions": conditions },
        });
        Arc::new(serde_json::from_value(job).unwrap())
    }

    #[test]
    fn the_oldest_builds_start_first_and_no_more_than_the_limit_run() {
        let jobs = [
            job("young", true, false, 30),
            job("old", true, false, 10),
            job("runs", false, false, 5),
            job("done", false, true, 1),
        ];
        let names = |limit| next(&jobs, limit, |_| true).iter().map(|job| job.name_any()).collect::<Vec<_>>();
        assert_eq!(names(1), Vec::<String>::new());
        assert_eq!(names(2), ["old"]);
        assert_eq!(names(5), ["old", "young"]);
        let of_a_project = next(&jobs, 5, |job| job.name_any() != "old");
        assert_eq!(of_a_project.iter().map(|job| job.name_any()).collect::<Vec<_>>(), ["young"]);
    }
}
