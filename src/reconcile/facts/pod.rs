//! What a pod says of itself: why it waits, why it is not ready, whether it ever can be.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

use super::super::world::Trouble;
use super::security::{IMAGE_RUNS_AS_ROOT, IMAGE_USER_UNKNOWN};
use crate::crd::conditions::bounded;

/// The container runs and its health check has no answer.
pub(super) const NOT_READY: &str = "NotReady";

/// Restarts after which a crash loop is taken as certain.
const HOPELESS_RESTARTS: i32 = 3;

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.into_iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    init.chain(status.into_iter().flat_map(|status| status.container_statuses.iter().flatten()))
}

/// Why a container of the pod waits, other than being made, or why the pod has no node.
#[must_use]
pub(super) fn waiting(pod: &Pod) -> Option<Trouble> {
    let container = statuses(pod).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .clone()
            .filter(|reason| !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing"))?;
        let ended = exit(status).map(|exit| format!("; {exit}")).unwrap_or_default();
        Some(Trouble {
            message: bounded(
                &format!("{}{ended}", waiting.message.clone().unwrap_or_else(|| reason.clone())),
                4096,
            ),
            reason,
        })
    });
    container.or_else(|| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let unscheduled = conditions
            .iter()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
        Some(Trouble {
            reason: unscheduled.reason.clone().unwrap_or_default(),
            message: bounded(unscheduled.message.as_deref().unwrap_or_default(), 600),
        })
    })
}

/// The container runs, or ran, and is not ready.
pub(super) fn not_ready(pod: &Pod) -> Option<Trouble> {
    statuses(pod).filter(|status| !status.ready).find_map(|status| {
        let ended = exit(status);
        let running = status.state.as_ref().is_some_and(|state| state.running.is_some());
        match ended {
            Some(ended) => Some(Trouble { reason: "ContainerExits".to_owned(), message: ended }),
            None if running => Some(Trouble {
                reason: NOT_READY.to_owned(),
                message: unanswered(status.started == Some(true)),
            }),
            None => None,
        }
    })
}

/// The kubelet calls the pod ready.
#[must_use]
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The pod is on its way up for the first time, and nothing is in its way: no container has started, ended or waits.
#[must_use]
pub(super) fn is_new(pod: &Pod) -> bool {
    let began = |status: &ContainerStatus| {
        status.restart_count > 0 || !status.ready && status.started == Some(true) || exit(status).is_some()
    };
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    waiting(pod).is_none() && !containers.into_iter().flatten().any(began)
}

/// A container that has only just begun is told of in words that stay true if it never answers.
fn unanswered(answered_once: bool) -> String {
    let seen = if answered_once {
        "it runs and answered when it started, but is not ready"
    } else {
        "it runs, but has not answered its health check yet"
    };
    format!("{seen}: does it listen on the port that PORT names, and does spec.run.health.path exist?")
}

/// How the container ended last, with its last words.
fn exit(status: &ContainerStatus) -> Option<String> {
    let state = |state: &Option<ContainerState>| state.as_ref()?.terminated.clone();
    let ended = state(&status.state).or_else(|| state(&status.last_state))?;
    let words = ended.message.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let words = words.map(|words| format!(": {}", bounded(last_line(words), 300))).unwrap_or_default();
    let reason = ended
        .reason
        .filter(|reason| reason != "Error")
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    Some(format!("the app ended with exit code {}{reason}{words}", ended.exit_code))
}

fn last_line(words: &str) -> &str {
    words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(words)
}

/// The pod can never become ready: the name of its image is none, or it has crashed again and again.
pub(super) fn hopeless(pod: &Pod, trouble: &Trouble) -> bool {
    let restarts = statuses(pod).map(|status| status.restart_count).max().unwrap_or(0);
    match trouble.reason.as_str() {
        "InvalidImageName" | IMAGE_RUNS_AS_ROOT | IMAGE_USER_UNKNOWN => true,
        "CrashLoopBackOff" => restarts >= HOPELESS_RESTARTS,
        _ => false,
    }
}
