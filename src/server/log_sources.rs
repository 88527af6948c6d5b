//! Which containers of a project have a log. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::desired::names;

/// Logs that one stream has at a time.
pub(super) const MOST: usize = 20;

/// One run of a container: it has a log of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// The pod.
    pub(super) pod: String,
    /// Its container.
    pub(super) container: &'static str,
    /// build, init or app.
    pub(super) stage: &'static str,
    /// Grows with each start of the container.
    pub(super) run: i32,
}

impl Source {
    /// Another run of the same container.
    #[must_use]
    pub(super) fn is_run_of(&self, other: &Self) -> bool {
        (&self.pod, self.container) == (&other.pod, other.container)
    }
}

/// The last run of a container with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) source: Source,
    /// The run has ended: its log grows no more.
    pub(super) has_ended: bool,
    created: Option<Timestamp>,
}

/// The last run of the container of a pod whose log people want; none if it has no log.
pub(super) fn found(pod: &Pod) -> Option<Found> {
    let role = pod.labels().get(names::ROLE)?.as_str();
    let (container, stage) = match role {
        names::ROLE_APP => (names::APP, "app"),
        names::ROLE_BUILD => (names::BUILD, "build"),
        names::ROLE_INIT => (names::INIT, "init"),
        _ => return None,
    };
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == container)?;
    let now = status.state.as_ref()?;
    // A container that waits for its next start still has the log of its last run.
    let before = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
    let has_ended = now.terminated.is_some() || now.running.is_none() && before;
    let has_log = now.running.is_some() || has_ended;
    let source = Source { pod: pod.name_any(), container, stage, run: status.restart_count };
    let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    has_log.then_some(Found { source, has_ended, created })
}

/// What happens to the log of a run.
#[derive(Debug)]
pub(super) enum Log<O, L> {
    /// It is being read.
    Open(O),
    /// It ended or broke, and may have more lines.
    Left(L),
    /// It is over, or too old for this stream.
    Done,
}

/// The logs that a stream knows.
pub(super) type Known<O, L> = BTreeMap<Source, Log<O, L>>;

/// The oldest pod first.
pub(super) fn sort_by_age(all: &mut [Found]) {
    all.sort_by(|a, b| (a.created, &a.source).cmp(&(b.created, &b.source)));
}

/// The runs whose logs are to be opened, oldest pod first: the newest ones of those that are not known. Older ones are too old for
/// this stream, and stay so.
pub(super) fn new_ones<O, L>(known: &mut Known<O, L>, mut all: Vec<Found>) -> Vec<Found> {
    sort_by_age(&mut all);
    let too_old = all.len().saturating_sub(MOST);
    for found in all.drain(..too_old) {
        known.entry(found.source).or_insert(Log::Done);
    }
    all.retain(|found| !known.contains_key(&found.source));
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, role: &str, second: u32, state: &str) -> Pod {
        let container = match role {
            "build" => "build",
            "init" => "init",
            _ => "app",
        };
        serde_json::from_value(json!({
            "metadata": { "name": name, "labels": { "doce.dev/role": role },
                "creationTimestamp": format!("2026-11-30T12:00:{second:02}Z") },
            "status": { "containerStatuses": [{ "name": container, "image": "", "imageID": "", "ready": true,
                "restartCount": 0, "state": { state: {} } }] },
        }))
        .unwrap()
    }

    fn names(found: &[Found]) -> Vec<(&str, &str)> {
        found.iter().map(|found| (found.source.pod.as_str(), found.source.stage)).collect()
    }

    #[test]
    fn only_containers_that_ran_have_a_log_and_the_oldest_pod_comes_first() {
        let pods = [
            pod("app", "app", 9, "running"),
            pod("build", "build", 5, "running"),
            pod("new", "app", 10, "waiting"),
            pod("cleanup", "cleanup", 1, "running"),
        ];
        let all = pods.iter().filter_map(found).collect();
        let new = new_ones(&mut Known::<(), ()>::new(), all);
        assert_eq!(names(&new), [("build", "build"), ("app", "app")]);
    }

    #[test]
    fn a_container_that_waits_to_start_again_has_the_log_of_its_last_run() {
        let mut waits = pod("app", "app", 9, "waiting");
        assert!(found(&waits).is_none());
        let status = &mut waits.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0];
        status.last_state = serde_json::from_value(json!({ "terminated": { "exitCode": 1 } })).unwrap();
        assert!(found(&waits).unwrap().has_ended);
        assert!(!found(&pod("app", "app", 9, "running")).unwrap().has_ended);
    }

    #[test]
    fn with_more_logs_than_a_stream_has_an_old_one_does_not_come_back() {
        let pods: Vec<Pod> = (0..30).map(|n| pod(&format!("p{n:02}"), "app", n, "running")).collect();
        let all = |range: std::ops::Range<usize>| pods[range].iter().filter_map(found).collect();
        let mut known = Known::<(), ()>::new();
        let first = new_ones(&mut known, all(0..25));
        assert_eq!((first.len(), first[0].source.pod.as_str()), (MOST, "p05"));
        known.extend(first.into_iter().map(|found| (found.source, Log::Open(()))));
        assert!(new_ones(&mut known, all(0..20)).is_empty(), "newer pods are gone, and p00 to p04 stay out");
        assert_eq!(names(&new_ones(&mut known, all(0..26))), [("p25", "app")]);
    }
}
