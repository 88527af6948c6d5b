//! Which containers of a project have a log. Pure.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use crate::desired::names;

/// Pods whose logs one stream has.
const MOST_PODS: usize = 20;

/// A container with a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// The pod.
    pub(super) pod: String,
    /// Its container.
    pub(super) container: &'static str,
    /// build, init or app.
    pub(super) stage: &'static str,
    /// Grows with each start of the container: each run has a log of its own.
    pub(super) run: i32,
}

/// The containers with a log, oldest pod first.
pub(super) fn sources(mut pods: Vec<Pod>) -> Vec<Source> {
    pods.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let source = |pod: &Pod| {
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
        let has_log = now.running.is_some() || now.terminated.is_some();
        has_log.then(|| Source { pod: pod.name_any(), container, stage, run: status.restart_count })
    };
    let found: Vec<Source> = pods.iter().filter_map(source).collect();
    let skipped = found.len().saturating_sub(MOST_PODS);
    found.into_iter().skip(skipped).collect()
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

    #[test]
    fn only_containers_that_ran_have_a_log_and_the_oldest_pod_comes_first() {
        let pods = vec![
            pod("app", "app", 9, "running"),
            pod("build", "build", 5, "running"),
            pod("new", "app", 10, "waiting"),
            pod("cleanup", "cleanup", 1, "running"),
        ];
        let names: Vec<_> = sources(pods).into_iter().map(|source| (source.pod, source.stage)).collect();
        assert_eq!(names, [("build".to_owned(), "build"), ("app".to_owned(), "app")]);
        let many = (0..40).map(|n| pod(&format!("p{n}"), "app", n, "running")).collect();
        assert_eq!(sources(many).len(), MOST_PODS);
    }
}
