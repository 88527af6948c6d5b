//! Which build is next. Pure: it reads the Jobs of the whole cluster that [`super::owned()`] selects, and starts
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::desired::names;
use crate::reconcile::facts::build::{is_finished, is_suspended, waits};

/// How many builds may run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In the whole cluster.
    pub cluster: usize,
    /// In each namespace.
    pub namespace: usize,
    /// How many polls may run at a time in the whole cluster while they only look. `None`: they take places of builds.
    pub polls: Option<usize>,
}

/// The Jobs to release now. Polls, and before them builds of images that no pod needs yet, come after all other builds.
/// The namespace with the fewest running builds comes first; among equals, the one whose last build started longest ago; within it, the oldest Job. Limits hold, and no
/// Job is released that `may_start` denies.
pub fn jobs_to_start(jobs: &[Arc<Job>], limits: Limits, may_start: impl Fn(&Job) -> bool) -> Vec<Arc<Job>> {
    let (mut running, mut served) = (running(jobs), served(jobs));
    let mut queued: Vec<&Arc<Job>> = waiting(jobs).filter(|job| may_start(job)).collect();
    let mut released = vec![];
    while total(&running, limits) < limits.cluster {
        let builds = |job: &Job| running.get(&namespace(job)).copied().unwrap_or(0);
        let order = |job: &Job| {
            let served = served.get(&namespace(job)).copied();
            (rank(job), builds(job), served, job.creation_timestamp(), namespace(job), job.name_any())
        };
        let open = queued.iter().enumerate().filter(|(_, job)| builds(job) < limits.namespace);
        let Some((at, _)) = open.min_by_key(|(_, job)| order(job)) else { break };
        let job = queued.swap_remove(at);
        *running.entry(namespace(job)).or_insert(0) += 1;
        served.insert(namespace(job), Served::Now(released.len()));
        released.push(job.clone());
    }
    released
}

/// All queued Jobs, by namespace and name, in the order of their release if no other build is requested: the order of
/// [`jobs_to_start`], with namespaces at their limit last. Takes time `n log n`.
pub fn queue_order(
    jobs: &[Arc<Job>],
    limits: Limits,
    may_start: impl Fn(&Job) -> bool,
) -> Vec<(String, String)> {
    let (running, served) = (running(jobs), served(jobs));
    let mut queues: BTreeMap<String, BTreeSet<(u8, Option<Time>, String)>> = BTreeMap::new();
    for job in waiting(jobs).filter(|job| may_start(job)) {
        let age = (rank(job), job.creation_timestamp(), job.name_any());
        queues.entry(namespace(job)).or_default().insert(age);
    }
    let place = |builds: usize, served: Option<Served>, queue: &BTreeSet<_>, namespace: &String| {
        let (rank, age, name): (u8, Option<Time>, String) = queue.first().cloned()?;
        Some((builds >= limits.namespace, rank, builds, served, age, namespace.clone(), name))
    };
    let first = queues.iter().filter_map(|(namespace, queue)| {
        let builds = running.get(namespace).copied().unwrap_or(0);
        place(builds, served.get(namespace).copied(), queue, namespace)
    });
    let mut heads: BTreeSet<_> = first.collect();
    let mut order = vec![];
    while let Some((_, _, builds, _, _, namespace, name)) = heads.pop_first() {
        if let Some(queue) = queues.get_mut(&namespace) {
            queue.pop_first();
            heads.extend(place(builds + 1, Some(Served::Now(order.len())), queue, &namespace));
        }
        order.push((namespace, name));
    }
    order
}

/// How many builds wait for a place, and how many run.
#[must_use]
pub fn waiting_and_running(jobs: &[Arc<Job>]) -> (usize, usize) {
    let waiting = waiting(jobs).count();
    (waiting, running(jobs).into_values().sum())
}

/// Whether a new build in this namespace may start at once: there is a free slot that no queued build needs.
pub fn has_slot(
    jobs: &[Arc<Job>],
    limits: Limits,
    in_namespace: &str,
    may_start: impl Fn(&Job) -> bool,
) -> bool {
    let mut running = running(jobs);
    for job in jobs_to_start(jobs, limits, may_start) {
        *running.entry(namespace(&job)).or_insert(0) += 1;
    }
    running.get(in_namespace).copied().unwrap_or(0) < limits.namespace
        && total(&running, limits) < limits.cluster
}

/// What people wait for comes first, then images that no pod needs yet, then polls.
fn rank(job: &Job) -> u8 {
    if names::is_poll(job) { 2 } else { u8::from(names::is_ahead(job)) }
}

/// Jobs that build. Cleanups do not count against their limits.
fn builds(jobs: &[Arc<Job>]) -> impl Iterator<Item = &Arc<Job>> {
    jobs.iter().filter(|job| names::is_build(job))
}

/// Running builds by namespace. A build that is being deleted counts until its pods are gone.
fn running(jobs: &[Arc<Job>]) -> BTreeMap<String, usize> {
    let mut running = BTreeMap::new();
    for job in builds(jobs).filter(|job| !is_suspended(job) && !is_finished(job)) {
        *running.entry(namespace(job)).or_insert(0) += 1;
    }
    running
}

/// All running builds. A namespace counts with its limit at most: users there may start Jobs that look like builds, and these
/// must not occupy the queue of others.
fn total(running: &BTreeMap<String, usize>, limits: Limits) -> usize {
    running.values().map(|builds| (*builds).min(limits.namespace)).sum()
}

/// When the last build of a namespace started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Served {
    At(Timestamp),
    /// In this pass, after so many others.
    Now(usize),
}

/// The last start in each namespace, as far as its Jobs still exist.
fn served(jobs: &[Arc<Job>]) -> BTreeMap<String, Served> {
    let mut served = BTreeMap::new();
    for job in builds(jobs).filter(|job| !is_suspended(job)) {
        let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
        let Some(time) = started.map(|time| time.0).or(job.creation_timestamp().map(|time| time.0)) else {
            continue;
        };
        let last = served.entry(namespace(job)).or_insert(Served::At(time));
        *last = (*last).max(Served::At(time));
    }
    served
}

/// The builds in the queue.
pub(super) fn waiting(jobs: &[Arc<Job>]) -> impl Iterator<Item = &Arc<Job>> {
    builds(jobs).filter(|job| waits(job))
}

fn namespace(job: &Job) -> String {
    job.namespace().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(namespace: &str, name: &str, state: &str, second: i64) -> Arc<Job> {
        let conditions =
            if state == "done" { json!([{ "type": "Complete", "status": "True" }]) } else { json!([]) };
        let time = |second| jiff::Timestamp::from_second(second).unwrap().to_string();
        let deleted = (state == "ending").then(|| time(second + 1));
        let job = json!({
            "metadata": { "name": name, "namespace": namespace, "creationTimestamp": time(second), "deletionTimestamp": deleted },
            "spec": { "suspend": state == "waits", "template": {} },
            "status": { "conditions": conditions },
        });
        Arc::new(serde_json::from_value(job).unwrap())
    }

    fn limits(cluster: usize, namespace: usize) -> Limits {
        Limits { cluster, namespace, polls: None }
    }

    fn released(jobs: &[Arc<Job>], limits: Limits) -> Vec<String> {
        jobs_to_start(jobs, limits, |_| true).iter().map(|job| job.name_any()).collect()
    }

    #[test]
    fn the_oldest_builds_start_first_up_to_the_limit() {
        let jobs = [
            job("n", "young", "waits", 30),
            job("n", "old", "waits", 10),
            job("n", "runs", "runs", 5),
            job("n", "done", "done", 1),
        ];
        assert_eq!(released(&jobs, limits(1, 9)), Vec::<String>::new());
        assert_eq!(released(&jobs, limits(2, 9)), ["old"]);
        assert_eq!(released(&jobs, limits(5, 9)), ["old", "young"]);
        assert_eq!(released(&jobs, limits(5, 2)), ["old"], "the namespace has its own limit");
        let of_a_project = jobs_to_start(&jobs, limits(5, 9), |job| job.name_any() != "old");
        assert_eq!(of_a_project.iter().map(|job| job.name_any()).collect::<Vec<_>>(), ["young"]);
    }

    #[test]
    fn jobs_that_users_start_beyond_the_limit_of_their_namespace_do_not_occupy_the_queue() {
        let mut jobs: Vec<_> = (0..9).map(|n| job("greedy", &format!("copy-{n}"), "runs", n)).collect();
        jobs.extend([job("greedy", "build", "waits", 10), job("modest", "build", "waits", 11)]);
        assert_eq!(released(&jobs, limits(3, 2)), ["build"], "that of modest");
        assert!(has_slot(&jobs[..9], limits(3, 2), "modest", |_| true));
        assert!(!has_slot(&jobs[..9], limits(3, 2), "greedy", |_| true));
    }

    #[test]
    fn a_namespace_with_many_builds_does_not_block_the_others() {
        let mut jobs: Vec<_> = (0..10).map(|n| job("greedy", &format!("greedy-{n}"), "waits", n)).collect();
        jobs.push(job("modest", "modest-0", "waits", 100));
        jobs.push(job("modest", "modest-1", "waits", 101));
        assert_eq!(released(&jobs, limits(4, 9)), ["greedy-0", "modest-0", "greedy-1", "modest-1"]);
    }

    #[test]
    fn namespaces_take_turns_regardless_of_how_many_builds_they_queued() {
        let mut jobs: Vec<_> = ["a", "b", "c"]
            .iter()
            .zip([0, 100, 200])
            .flat_map(|(namespace, begun)| {
                (0..4).map(move |n| job(namespace, &format!("{namespace}{n}"), "waits", begun + n))
            })
            .collect();
        let mut order = vec![];
        for second in 1000.. {
            let Some(name) = released(&jobs, limits(1, 9)).pop() else { break };
            // This build runs and ends before the next one is chosen.
            let at = jobs.iter().position(|job| job.name_any() == name).unwrap();
            jobs[at] = job(&name[..1], &name, "done", second);
            order.push(name);
        }
        assert_eq!(order.join(" "), "a0 b0 c0 a1 b1 c1 a2 b2 c2 a3 b3 c3");
    }

    #[test]
    fn lookups_from_polling_wait_behind_all_other_builds() {
        let mut poll = Job::clone(&job("idle", "poll", "waits", 1));
        poll.annotations_mut().insert(names::BUILD_REASON.to_owned(), names::POLLED.to_owned());
        let jobs = [Arc::new(poll), job("busy", "a", "waits", 10), job("busy", "b", "waits", 11)];
        assert_eq!(released(&jobs, limits(2, 9)), ["a", "b"]);
        let told: Vec<_> =
            queue_order(&jobs, limits(2, 9), |_| true).into_iter().map(|(_, name)| name).collect();
        assert_eq!(told, ["a", "b", "poll"]);
    }

    #[test]
    fn the_reported_order_is_the_order_of_release() {
        let mut jobs: Vec<_> = (0..7).map(|n| job("greedy", &format!("greedy-{n}"), "waits", n)).collect();
        jobs.extend((0..3).map(|n| job("modest", &format!("modest-{n}"), "waits", 100 + n)));
        jobs.push(job("greedy", "runs", "runs", 0));
        let told = queue_order(&jobs, limits(1, 99), |_| true);
        let told: Vec<_> = told.into_iter().map(|(_, name)| name).collect();
        assert_eq!(told, released(&jobs, limits(99, 99)));
        assert_eq!(told[..3], ["modest-0", "greedy-0", "modest-1"]);
        let full = queue_order(&jobs, limits(9, 1), |_| true);
        assert_eq!(full[0], ("modest".to_owned(), "modest-0".to_owned()), "greedy is at its limit");
    }

    #[test]
    fn a_terminating_build_keeps_its_slot_until_its_pods_are_gone() {
        let jobs = [job("n", "leaves", "ending", 1), job("n", "next", "waits", 2)];
        assert_eq!(released(&jobs, limits(1, 9)), Vec::<String>::new());
        assert_eq!(released(&jobs[1..], limits(1, 9)), ["next"]);
    }

    #[test]
    fn a_new_build_gets_a_slot_only_if_no_other_build_waits_for_it() {
        let place = |jobs: &[Arc<Job>], limits| has_slot(jobs, limits, "n", |_| true);
        let (runs, waits) = (job("n", "runs", "runs", 1), job("m", "waits", "waits", 2));
        assert!(place(&[], limits(1, 1)));
        assert!(!place(std::slice::from_ref(&runs), limits(1, 9)));
        assert!(!place(std::slice::from_ref(&runs), limits(9, 1)), "its namespace is full");
        assert!(place(std::slice::from_ref(&runs), limits(2, 9)));
        assert!(!place(&[runs.clone(), waits.clone()], limits(2, 9)), "the slot belongs to another build");
        assert!(place(&[runs, waits], limits(3, 9)));
    }
}
