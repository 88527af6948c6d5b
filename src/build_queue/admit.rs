//! Starts builds (I/O). A build is created running if there is capacity, else suspended until the queue releases it.
//! [`super::schedule`] decides which is next.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use tokio::sync::Mutex;

use crate::cluster::{Cluster, Error};
use crate::config::Config;
use crate::desired::names;
use crate::project::Project;

use super::schedule::{self, Limits};
use crate::image_cleanup::plan::{self, Seen};

/// Serializes the starts of builds, so that two do not take the same free slot.
#[derive(Debug, Default)]
pub struct BuildStarter(Mutex<()>);

impl BuildStarter {
    /// Creates a build Job: running if there is a free slot, else suspended.
    pub async fn create(
        &self,
        cluster: &Cluster,
        limits: Limits,
        project: &Project,
        mut job: Job,
    ) -> Result<(), Error> {
        let has_slot = |job: &Job| {
            let caches = cluster.caches();
            let jobs = owned(cluster);
            let cleaned = plan::under_way(&jobs, Timestamp::now());
            let may_start = |job: &Job| plan::lets_build(&cleaned, job);
            caches.jobs.synced()
                && may_start(job)
                && schedule::has_slot(&jobs, limits, &project.namespace, may_start)
        };
        if !has_slot(&job) {
            return cluster.create_job(project, &job).await; // A suspended Job needs no slot.
        }
        let _one = self.0.lock().await;
        let starts = has_slot(&job);
        if let Some(spec) = job.spec.as_mut().filter(|_| starts) {
            spec.suspend = Some(false);
        }
        cluster.create_job(project, &job).await
    }

    /// Starts waiting Jobs that can run now, builds first. Returns true if something still waits for a change that no
    /// Job event reports: a cleanup, or a build for the time limit of a cleanup. Without `cleans` no cleanup starts.
    pub async fn release(&self, cluster: &Cluster, limits: Limits, cleans: bool) -> Result<bool, Error> {
        let _one = self.0.lock().await;
        let jobs = owned(cluster);
        let cleaned = plan::under_way(&jobs, Timestamp::now());
        for job in schedule::jobs_to_start(&jobs, limits, |job| plan::lets_build(&cleaned, job)) {
            cluster.release_job(&job).await?;
        }
        let waits = cleans && release_cleanups(cluster).await?;
        Ok(waits || !cleaned.is_empty())
    }
}

/// Starts the cleanups that nothing blocks, and deletes those whose image is in use again.
async fn release_cleanups(cluster: &Cluster) -> Result<bool, Error> {
    let caches = cluster.caches();
    let jobs = owned(cluster); // Including the builds that just started.
    if !plan::any_waits(&jobs) {
        return Ok(false);
    }
    if !caches.synced() {
        return Ok(true);
    }
    let pods = |job: &Job| {
        let project = job.labels().get(names::PROJECT).cloned().unwrap_or_default();
        caches.pods.of(&(job.namespace().unwrap_or_default(), project))
    };
    let seen = Seen { jobs: &jobs, now: Timestamp::now(), revisions: &caches.revisions.all() };
    let plan = plan::plan(&seen, pods);
    for job in plan.drop {
        cluster.delete_job(&job).await?;
    }
    for job in plan.start {
        cluster.release_job(&job).await?;
    }
    Ok(plan.wait)
}

/// The Jobs of existing projects. Other Jobs neither start nor block anything.
pub(super) fn owned(cluster: &Cluster) -> Vec<Arc<Job>> {
    let caches = cluster.caches();
    super::owned(caches.jobs.all(), |namespace, uid| caches.projects.has_in(namespace, uid))
}

/// The limits that the platform owner configured.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        cluster: count(config.build_limit),
        namespace: config.build_limit_namespace.map_or(usize::MAX, count),
    }
}
