//! What shows a cause: the log in status, containers that wait or ended, and warnings of Kubernetes.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;

use super::{Around, Evidence};
use crate::crd::ProjectDeployment;
use crate::desired::names;

/// Lines of a log that are shown.
const LINES: usize = 12;

/// Events that are shown.
const EVENTS: usize = 3;

/// Pods that are shown.
const PODS: usize = 3;

/// The evidence, the closest first.
pub(super) fn collect(object: &ProjectDeployment, around: Around<'_>) -> Vec<Evidence> {
    let failure = object.status.as_ref().and_then(|status| status.failure.as_ref());
    let log = failure.filter(|failure| !failure.log.is_empty()).map(|failure| {
        let lines: Vec<&str> = failure.log.lines().collect();
        let from = match failure.stage.as_str() {
            "Rollout" => "log of the app",
            "Init" => "log of the init command",
            _ => "log of the build",
        };
        Evidence { from: from.to_owned(), says: lines[lines.len().saturating_sub(LINES)..].join("\n") }
    });
    let ill = around.pods.iter().filter_map(pod).take(PODS);
    log.into_iter().chain(ill).chain(warnings(around.events)).collect()
}

/// What is wrong with a pod, if something is.
fn pod(pod: &Pod) -> Option<Evidence> {
    let status = pod.status.as_ref()?;
    let mut containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    let unscheduled = || {
        let condition = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
        condition.message.clone()
    };
    let says = containers.find_map(container).or_else(unscheduled)?;
    Some(Evidence { from: format!("pod {}", pod.name_any()), says })
}

fn container(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let waiting = state.waiting.as_ref().filter(|waiting| {
        !matches!(waiting.reason.as_deref(), None | Some("ContainerCreating" | "PodInitializing"))
    });
    if let Some(waiting) = waiting {
        let message = waiting.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        return Some(format!(
            "container {} waits: {}{message}",
            status.name,
            waiting.reason.as_deref().unwrap_or_default()
        ));
    }
    let ended =
        state.terminated.as_ref().filter(|ended| ended.exit_code != 0 && status.name != names::BUILD)?;
    Some(format!(
        "container {} ended with exit code {} ({}), {} restarts",
        status.name,
        ended.exit_code,
        ended.reason.as_deref().unwrap_or("no reason"),
        status.restart_count
    ))
}

/// The newest warnings, each text once.
fn warnings(events: &[Event]) -> Vec<Evidence> {
    let mut warnings: Vec<&Event> =
        events.iter().filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    warnings.sort_by_key(|event| {
        std::cmp::Reverse((
            event.last_timestamp.as_ref().map(|time| time.0),
            event.metadata.creation_timestamp.as_ref().map(|time| time.0),
        ))
    });
    let mut shown: Vec<Evidence> = vec![];
    for event in warnings {
        let about = &event.involved_object;
        let says = format!(
            "{}: {}",
            event.reason.as_deref().unwrap_or_default(),
            event.message.as_deref().unwrap_or_default().trim()
        );
        // The operator's own events repeat the condition, and every build that fails has this one.
        let own = about.kind.as_deref() == Some("ProjectDeployment")
            || event.reason.as_deref() == Some("BackoffLimitExceeded");
        if own || shown.iter().any(|other| other.says == says) {
            continue;
        }
        let from = format!(
            "event of {} {}",
            about.kind.as_deref().unwrap_or("object"),
            about.name.as_deref().unwrap_or_default()
        );
        shown.push(Evidence { from, says });
        if shown.len() == EVENTS {
            break;
        }
    }
    shown
}
