//! Starting builds (I/O): a build that has a place when it is made is created running, another waits, suspended, until
//! the queue releases it. Whose turn it is, [`super::turn`] says.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use tokio::sync::Mutex;

use crate::cluster::{Cluster, Error};
use crate::config::Config;
use crate::project::Project;

use super::turn::{self, Limits};

/// One build at a time is started, so that two that see the same free place do not both take it.
#[derive(Debug, Default)]
pub struct Starts(Mutex<()>);

impl Starts {
    /// Creates a build Job: running if it has a place now, else suspended.
    pub async fn create(
        &self,
        cluster: &Cluster,
        limits: Limits,
        project: &Project,
        mut job: Job,
    ) -> Result<(), Error> {
        let has_place = || {
            let caches = cluster.caches();
            let known = |job: &Job| belongs(cluster, job);
            caches.jobs.synced() && turn::has_place(&caches.jobs.all(), limits, &project.namespace, known)
        };
        if !has_place() {
            return cluster.create_job(project, &job).await; // Waiting needs no place.
        }
        let _one = self.0.lock().await;
        if let Some(spec) = job.spec.as_mut().filter(|_| has_place()) {
            spec.suspend = Some(false);
        }
        cluster.create_job(project, &job).await
    }

    /// Starts what waits and has a place now.
    pub async fn release(&self, cluster: &Cluster, limits: Limits) -> Result<(), Error> {
        let _one = self.0.lock().await;
        for job in turn::next(&cluster.caches().jobs.all(), limits, |job| belongs(cluster, job)) {
            cluster.release_job(&job).await?;
        }
        Ok(())
    }
}

/// The Job's project is there: a build of a project that is gone is never started.
pub(super) fn belongs(cluster: &Cluster, job: &Job) -> bool {
    job.owner_references().iter().any(|owner| cluster.caches().projects.has(&owner.uid))
}

/// The limits that the platform owner has set.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        cluster: count(config.build_limit),
        namespace: config.build_limit_namespace.map_or(usize::MAX, count),
    }
}
