//! Plans when a cleanup starts. Pure: it reads Jobs, their pods and the records of the whole cluster, and starts
//! nothing.
//!
//! A build may find an image by its key and report it at the moment of its deletion. So a cleanup does not start while
//! a build of the repository is unfinished or a record may still get the image from it. And no build starts in a
//! repository while a cleanup there runs. One lock covers both kinds of starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::desired::job_env::repository;
use crate::desired::names;
use crate::image_cleanup::facts::names_image;
use crate::image_cleanup::job::{self, order_of};
use crate::protocol::order::cleanup::CleanupOrder;
use crate::reconcile::facts::build::{self, is_finished, waits};
use crate::reconcile::observed::JobState;

/// Most cleanups that run at a time.
const MOST: usize = 2;

/// Seconds after its start during which a cleanup blocks others: its deadline plus time for its pod to end.
const HOLDS_SECONDS: i64 = job::DEADLINE_SECONDS + 30;

/// What happens to the waiting cleanups.
#[derive(Debug, Default)]
pub struct Plan {
    /// Cleanups that start now.
    pub start: Vec<Arc<Job>>,
    /// Cleanups to delete, because something names their image again.
    pub drop: Vec<Arc<Job>>,
    /// Others keep waiting.
    pub wait: bool,
}

/// Inputs of the plan.
pub struct Seen<'a> {
    /// Jobs of the cluster that belong to a project.
    pub jobs: &'a [Arc<Job>],
    /// The current time.
    pub now: Timestamp,
    /// Records and ledgers of the cluster.
    pub revisions: &'a [Arc<ControllerRevision>],
}

/// Whether a cleanup has not started yet.
#[must_use]
pub fn any_waits(jobs: &[Arc<Job>]) -> bool {
    jobs.iter().any(|job| is_cleanup(job) && waits(job))
}

/// Repositories in which an image is being deleted.
#[must_use]
pub fn under_way(jobs: &[Arc<Job>], now: Timestamp) -> BTreeSet<String> {
    running(jobs, now).filter_map(|job| order_of(job)).map(|order| order.repository).collect()
}

/// Whether a build Job may start while images of these repositories are being deleted.
#[must_use]
pub fn lets_build(under_way: &BTreeSet<String>, build: &Job) -> bool {
    under_way.is_empty() || repository(build).is_none_or(|repository| !under_way.contains(&repository))
}

/// Plans the waiting cleanups; `pods` returns the pods of a Job's project.
pub fn plan(seen: &Seen<'_>, pods: impl Fn(&Job) -> Vec<Arc<Pod>>) -> Plan {
    let mut plan = Plan::default();
    let mut places = MOST.saturating_sub(running(seen.jobs, seen.now).count());
    for job in seen.jobs.iter().filter(|job| is_cleanup(job) && waits(job)) {
        let Some(order) = order_of(job) else {
            plan.drop.push(job.clone());
            continue;
        };
        if pauses(job, seen.now) {
            plan.wait = true;
            continue;
        }
        let claims: Vec<_> = seen.revisions.iter().filter(|revision| names_image(revision, &order)).collect();
        if claims.iter().any(|revision| !is_own(job, revision)) {
            plan.drop.push(job.clone());
        } else if !claims.is_empty() || places == 0 || is_busy(seen.jobs, job, &order, &pods) {
            plan.wait = true; // Its own record is about to be deleted, or the project deletes the Job.
        } else {
            places -= 1;
            plan.start.push(job.clone());
        }
    }
    plan
}

fn is_cleanup(job: &Job) -> bool {
    names::role_of_job(job) == names::ROLE_CLEANUP
}

fn running(jobs: &[Arc<Job>], now: Timestamp) -> impl Iterator<Item = &Arc<Job>> {
    let runs = move |job: &Job| !waits(job) && !is_finished(job) && holds(job, now);
    jobs.iter().filter(move |job| is_cleanup(job) && runs(job))
}

/// Whether the cleanup still blocks others: it has not run longer than it may. A Job that just started has no start
/// time yet.
fn holds(job: &Job, now: Timestamp) -> bool {
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    started.is_none_or(|started| now.as_second() - started.0.as_second() < HOLDS_SECONDS)
}

/// Whether the cleanup is a retry whose pause is not over.
fn pauses(job: &Job, now: Timestamp) -> bool {
    let made = job.creation_timestamp().map_or(now, |time| time.0);
    now.as_second() - made.as_second() < job::pause_seconds(job::attempt(job))
}

/// Whether `revision` is the record of the version whose image the Job deletes.
fn is_own(job: &Job, revision: &ControllerRevision) -> bool {
    let version = revision.data.as_ref().and_then(|data| data.0["version"].as_str());
    revision.namespace() == job.namespace()
        && revision.labels().get(names::UID) == job.labels().get(names::UID)
        && version == job.annotations().get(names::CLEANUP_OF).map(String::as_str)
}

/// Whether a build may still name the image. If its order cannot be read, it may push anywhere: cleanups of its own
/// namespace wait.
fn is_busy(
    jobs: &[Arc<Job>],
    cleanup: &Job,
    order: &CleanupOrder,
    pods: impl Fn(&Job) -> Vec<Arc<Pod>>,
) -> bool {
    let there = |job: &&Arc<Job>| match repository(job) {
        Some(repository) => repository == order.repository,
        None => job.metadata.namespace == cleanup.metadata.namespace,
    };
    let may_name = |job: &Job| match build::job(job, &pods(job), None).map(|build| build.state) {
        _ if !is_finished(job) => true,
        // As long as the Job exists, a record may be created from its report.
        Some(JobState::Built(built)) => built.digest == order.digest,
        Some(JobState::Failed(_)) => false,
        _ => true,
    };
    jobs.iter().filter(|job| names::is_build(job)).filter(there).any(|job| may_name(job))
}

#[cfg(test)]
mod tests;
