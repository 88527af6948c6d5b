//! Starts builds (I/O). A build is created running if there is capacity, else suspended until the queue releases it.
//! [`super::schedule`] decides which is next.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use tokio::sync::Mutex;

use crate::cluster::packed::Pack as _;
use crate::cluster::{Cluster, Error};
use crate::config::Config;
use crate::project::Project;
use crate::reconcile::facts::build::belongs;
use crate::reconcile::facts::pod::is_ready;

use super::places::Places;
use super::schedule::{self, Limits};
use crate::image_cleanup::plan::{self, Seen};

/// Serializes the starts of builds, so that two do not take the same free slot.
#[derive(Debug, Default)]
pub struct BuildStarter {
    one: Mutex<()>,
    rejected: Rejected,
}

/// The queued Jobs whose start the API server rejected, by uid.
type Rejected = std::sync::Mutex<HashMap<String, Rejection>>;

#[derive(Debug)]
struct Rejection {
    message: String,
    at: Instant,
}

/// Pause before a rejected start is tried again.
const AGAIN: Duration = Duration::from_mins(1);

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
            let places = places(cluster, jobs, limits);
            let (jobs, limits) = places.of(job);
            caches.jobs.synced()
                && may_start(job)
                && schedule::has_slot(jobs, *limits, &project.namespace, may_start)
        };
        if !has_slot(&job) {
            return cluster.create_job(project, &job).await; // A suspended Job needs no slot.
        }
        let _one = self.one.lock().await;
        let starts = has_slot(&job);
        if let Some(spec) = job.spec.as_mut().filter(|_| starts) {
            spec.suspend = Some(false);
        }
        cluster.create_job(project, &job).await
    }

    /// Starts waiting Jobs that can run now, builds first. Returns true if something still waits for a change that no
    /// Job event reports: a cleanup, a build for the time limit of a cleanup, or a build whose start was rejected.
    /// Without `cleans` no cleanup starts.
    pub async fn release(&self, cluster: &Cluster, limits: Limits, cleans: bool) -> Result<bool, Error> {
        let _one = self.one.lock().await;
        let cleaned = plan::under_way(&owned(cluster), Timestamp::now());
        let (mut tried, mut skipped) = (HashSet::new(), HashSet::new());
        'again: loop {
            // A rejected start takes no place. The rest of its namespace waits for the next pass: policies usually reject all
            // of it, and others must not wait for that.
            let may_start = |job: &Job| {
                plan::lets_build(&cleaned, job)
                    && !skipped.contains(&job.namespace().unwrap_or_default())
                    && !tried.contains(&job.uid().unwrap_or_default())
                    && !self.was_just_rejected(job)
            };
            let start = |(jobs, limits): &(Vec<_>, _)| schedule::jobs_to_start(jobs, *limits, may_start);
            let next: Vec<_> = places(cluster, owned(cluster), limits).each().flat_map(start).collect();
            for job in next {
                tried.insert(job.uid().unwrap_or_default());
                match cluster.release_job(&job).await {
                    Ok(()) => self.reject(&job, None),
                    Err(Error::Conflict { .. }) => continue 'again, // It is gone. Its place goes to another build.
                    Err(error) => {
                        let Some(message) = error.of_object() else { return Err(error) };
                        let (namespace, name) = (job.namespace().unwrap_or_default(), job.name_any());
                        tracing::warn!(namespace, name, message, "the start of a build was rejected");
                        skipped.insert(namespace);
                        self.reject(&job, Some(message.to_owned()));
                        continue 'again; // The same.
                    }
                }
            }
            break;
        }
        let rejected = self.forget_all_but(&owned(cluster));
        let waits = rejected | (cleans && release_cleanups(cluster).await?);
        Ok(waits || !cleaned.is_empty())
    }

    fn reject(&self, job: &Job, message: Option<String>) {
        let (uid, at) = (job.uid().unwrap_or_default(), Instant::now());
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            Some(message) => rejected.insert(uid, Rejection { message, at }),
            None => rejected.remove(&uid),
        };
    }

    /// Forgets rejections of Jobs that no longer wait. Returns whether one is left.
    fn forget_all_but(&self, jobs: &[Arc<Job>]) -> bool {
        let waiting: HashSet<String> = schedule::waiting(jobs).filter_map(|job| job.uid()).collect();
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.retain(|uid, _| waiting.contains(uid));
        !rejected.is_empty()
    }

    fn was_just_rejected(&self, job: &Job) -> bool {
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        let there = job.metadata.uid.as_deref().and_then(|uid| rejected.get(uid));
        there.is_some_and(|rejection| rejection.at.elapsed() < AGAIN)
    }

    /// How many rejections it remembers.
    pub fn held(&self) -> usize {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Why the API server rejected the start of this queued Job, if it did.
    pub fn rejection(&self, job: &Job) -> Option<String> {
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.get(job.metadata.uid.as_deref()?).map(|there| there.message.clone())
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
    let pods = |job: &Job| caches.pods.of(&job.project().unwrap_or_default());
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
#[must_use]
pub fn owned(cluster: &Cluster) -> Vec<Arc<Job>> {
    let caches = cluster.caches();
    super::owned(caches.jobs.all(), |namespace, uid| caches.projects.has_in(namespace, uid))
}

/// These Jobs by the places that they take.
pub(super) fn places(cluster: &Cluster, jobs: Vec<Arc<Job>>, limits: Limits) -> Places {
    let builders = cluster.caches().builder_jobs.all();
    let built: HashSet<String> =
        builders.into_iter().filter(|builder| !builder.ended).map(|builder| builder.build_uid).collect();
    let has_builder = |job: &Job| job.metadata.uid.as_ref().is_some_and(|uid| built.contains(uid));
    Places::new(jobs, limits, |job| has_builder(job) || asks(cluster, job))
}

/// A pod of this poll is ready, which says that it needs a builder pod.
#[must_use]
pub fn asks(cluster: &Cluster, poll: &Job) -> bool {
    let pods = cluster.caches().pods.of(&poll.project().unwrap_or_default());
    pods.iter().any(|pod| belongs(pod, poll) && is_ready(pod))
}

/// The limits that the platform owner configured. Only builds with builder pods keep polls and builds apart.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        polls: config.poll_places().map(count),
        cluster: count(config.build_limit),
        namespace: config.build_limit_namespace.map_or(usize::MAX, count),
    }
}
