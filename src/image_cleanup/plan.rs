//! When a cleanup starts. Pure: it reads Jobs, their pods and the records of the whole cluster and starts nothing.
//!
//! A build may find an image by its key and report it just when it is to be deleted. So no image goes while a build of its
//! repository is unfinished or may still hand it to a record, and no build starts in a repository while an image of it is
//! being deleted. Both are settled under the one lock that starts anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::desired::names;
use crate::desired::told::repository;
use crate::image_cleanup::facts::names_image;
use crate::image_cleanup::job::{self, order_of};
use crate::protocol::order::cleanup::CleanupOrder;
use crate::reconcile::facts::build::{self, is_finished, waits};
use crate::reconcile::observed::JobState;

/// Most cleanups that run at a time.
const MOST: usize = 2;

/// Seconds after its start in which a cleanup holds up others: its deadline, and time for its pod to end.
const HOLDS_SECONDS: i64 = job::DEADLINE_SECONDS + 30;

/// What becomes of the cleanups that wait.
#[derive(Debug, Default)]
pub struct Plan {
    /// They start now.
    pub start: Vec<Arc<Job>>,
    /// Something names their image again: they are deleted.
    pub drop: Vec<Arc<Job>>,
    /// Others wait on.
    pub wait: bool,
}

/// Everything that is looked at.
pub struct Seen<'a> {
    /// Jobs of the cluster that belong to a project.
    pub jobs: &'a [Arc<Job>],
    /// The time of the look.
    pub now: Timestamp,
    /// Records and ledgers of the cluster.
    pub revisions: &'a [Arc<ControllerRevision>],
}

/// There is a cleanup that was not started yet.
#[must_use]
pub fn any_waits(jobs: &[Arc<Job>]) -> bool {
    jobs.iter().any(|job| is_cleanup(job) && waits(job))
}

/// Repositories of which an image is being deleted.
#[must_use]
pub fn under_way(jobs: &[Arc<Job>], now: Timestamp) -> BTreeSet<String> {
    running(jobs, now).filter_map(|job| order_of(job)).map(|order| order.repository).collect()
}

/// Whether a build Job may start while images of these repositories are being deleted.
#[must_use]
pub fn lets_build(under_way: &BTreeSet<String>, build: &Job) -> bool {
    under_way.is_empty() || repository(build).is_none_or(|repository| !under_way.contains(&repository))
}

/// What becomes of those that wait; `pods` are those of a Job's project.
#[must_use]
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
            plan.wait = true; // Its own record is about to go, or the project takes the Job back.
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

/// It has not run for longer than it may. One that has just been started has no time of start yet.
fn holds(job: &Job, now: Timestamp) -> bool {
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    started.is_none_or(|started| now.as_second() - started.0.as_second() < HOLDS_SECONDS)
}

/// It tries again what failed a while ago, and that while is not over.
fn pauses(job: &Job, now: Timestamp) -> bool {
    let made = job.creation_timestamp().map_or(now, |time| time.0);
    now.as_second() - made.as_second() < job::pause_seconds(job::attempt(job))
}

/// The record of the version that the Job deletes the image of.
fn is_own(job: &Job, revision: &ControllerRevision) -> bool {
    let version = revision.data.as_ref().and_then(|data| data.0["version"].as_str());
    revision.namespace() == job.namespace()
        && revision.labels().get(names::UID) == job.labels().get(names::UID)
        && version == job.annotations().get(names::CLEANUP_OF).map(String::as_str)
}

/// A build may still name the image. One whose order cannot be read may push anywhere: cleanups of its own namespace wait.
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
    let may_name = |job: &Job| match build::job(job, &pods(job)).map(|build| build.state) {
        _ if !is_finished(job) => true,
        // As long as the Job is there, a record may be made from what it says.
        Some(JobState::Built(built)) => built.digest == order.digest,
        Some(JobState::Failed(_)) => false,
        _ => true,
    };
    jobs.iter().filter(|job| names::is_build(job)).filter(there).any(|job| may_name(job))
}

#[cfg(test)]
mod tests;
