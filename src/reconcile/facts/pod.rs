//! Facts from a pod: why it waits, why it is not ready, and whether it ever can be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::super::observed::Trouble;
use super::exit;
use super::health::{Check, ProbeEvent};
use super::security::{IMAGE_RUNS_AS_ROOT, IMAGE_USER_UNKNOWN};
use crate::text::bounded;

/// The container runs, and its health check fails.
pub(super) const NOT_READY: &str = "NotReady";

/// The container runs, and nothing listens on the checked port.
pub(super) const NOT_LISTENING: &str = "NotListening";

/// Seconds that a program has to open its port before a refused connection is reported.
const BEGINNING: i64 = 10;

/// Seconds after which the kubelet's last message is shown with its time: it sends few of them (docs/decisions/0035).
const FRESH: i64 = 60;

/// What the facts of a pod depend on, beside its own status.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// When the pass started.
    pub now: Timestamp,
    /// The kubelet's last message about a failed check, by the uid of the pod.
    pub probe_events: &'a BTreeMap<String, ProbeEvent>,
}

impl<'a> Looked<'a> {
    fn of(self, pod: &Pod) -> Option<&'a ProbeEvent> {
        self.probe_events.get(&pod.uid()?)
    }

    /// A container that has run since then has only just started.
    fn is_young(self, since: Option<Timestamp>) -> bool {
        since.is_some_and(|since| self.now.as_second() - since.as_second() < BEGINNING)
    }
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.into_iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    init.chain(status.into_iter().flat_map(|status| status.container_statuses.iter().flatten()))
}

/// Why a container of the pod waits, except for its creation, or why the pod has no node.
pub(super) fn waiting(pod: &Pod) -> Option<Trouble> {
    let container = statuses(pod).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .clone()
            .filter(|reason| !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing"))?;
        let says = waiting.message.as_deref().unwrap_or(&reason);
        // For a crash loop, Kubernetes names only the pod and the pause. How the program ended says more.
        let message = match exit::last(status).map(|ended| exit::words(&ended, exit::APP)) {
            Some(ended) if reason == "CrashLoopBackOff" => ended,
            Some(ended) => format!("{says}; {ended}"),
            None => exit::unstartable(says, exit::APP).unwrap_or_else(|| says.to_owned()),
        };
        Some(Trouble { message: bounded(&message, 4096), reason })
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
pub(super) fn not_ready(pod: &Pod, check: Option<&Check>, looked: Looked<'_>) -> Option<Trouble> {
    statuses(pod).filter(|status| !status.ready).find_map(|status| {
        let running = status.state.as_ref().and_then(|state| state.running.as_ref());
        let since = running.and_then(|running| Some(running.started_at.as_ref()?.0));
        // A message about the previous container no longer counts.
        let sighting = looked.of(pod).filter(|sighting| since.is_none_or(|since| sighting.at >= since));
        match exit::last(status) {
            Some(ended) if running.is_none() || sighting.is_none() || looked.is_young(since) => {
                Some(Trouble { reason: "ContainerExits".to_owned(), message: exit::words(&ended, exit::APP) })
            }
            _ if running.is_some() => Some(unready(status, check, sighting, since, looked)),
            _ => None,
        }
    })
}

/// The kubelet ended the previous container because its health check never succeeded. The kubelet's message counts
/// then, and not how the program ended.
pub(super) fn given_up(pod: &Pod, check: Option<&Check>, looked: Looked<'_>) -> Option<Trouble> {
    let check = check?;
    statuses(pod).filter(|status| !status.ready).find_map(|status| {
        let ended = exit::last(status).filter(|ended| check.gave_up(ended))?;
        let started = ended.started_at.as_ref()?.0;
        let sighting = looked.of(pod).filter(|sighting| sighting.at >= started);
        if sighting.is_some_and(|sighting| sighting.said.starts_with("Readiness")) {
            return None; // It had answered once.
        }
        let met = sighting.map(|sighting| check.met(&sighting.said));
        let again = "; the kubelet stopped the container because of that and restarts it";
        let refused = met.as_ref().is_some_and(|met| met.refused);
        let words = met
            .map_or_else(|| format!("it answered no health check: {}", check.unanswered()), |met| met.words);
        let reason = if refused { NOT_LISTENING } else { NOT_READY };
        Some(Trouble { reason: reason.to_owned(), message: format!("{words}{again}") })
    })
}

/// The kubelet reports the pod as ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The pod starts for the first time and without trouble: no container has started, ended or waits.
pub(super) fn is_new(pod: &Pod) -> bool {
    let began = |status: &ContainerStatus| {
        status.restart_count > 0
            || !status.ready && status.started == Some(true)
            || exit::last(status).is_some()
    };
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    waiting(pod).is_none() && !containers.into_iter().flatten().any(began)
}

/// The trouble of a running container: the kubelet's message, or a question. A program that has only just started gets
/// no question.
fn unready(
    status: &ContainerStatus,
    check: Option<&Check>,
    sighting: Option<&ProbeEvent>,
    since: Option<Timestamp>,
    looked: Looked<'_>,
) -> Trouble {
    let trouble = |reason: &str, message: String| Trouble { reason: reason.to_owned(), message };
    let Some(check) = check else {
        return trouble(NOT_READY, "it runs, but Kubernetes does not report it as ready yet".to_owned());
    };
    let young = looked.is_young(since);
    let once = if status.started == Some(true) { "it was ready, and now: " } else { "" };
    match sighting {
        Some(sighting) => {
            let met = check.met(&sighting.said);
            if met.refused && young {
                return trouble(NOT_READY, check.just_begun());
            }
            let reason = if met.refused { NOT_LISTENING } else { NOT_READY };
            trouble(reason, format!("{once}{}{}", met.words, seen(sighting, since, looked.now)))
        }
        None if young => trouble(NOT_READY, "it runs, and has not answered its health check yet".to_owned()),
        None => trouble(
            NOT_READY,
            format!("it runs, but has not answered its health check yet: {}", check.unanswered()),
        ),
    }
}

/// When the kubelet sent it, if that is a while ago.
fn seen(sighting: &ProbeEvent, since: Option<Timestamp>, now: Timestamp) -> String {
    let stale = now.as_second() - sighting.at.as_second() > FRESH;
    let after = since.filter(|_| stale).map(|since| sighting.at.as_second() - since.as_second());
    after.map(|after| format!(" (last reported {after} s after it started)")).unwrap_or_default()
}

/// When a running container that is not ready no longer counts as one that has only just started.
pub(super) fn judge_after(pod: &Pod) -> Option<Timestamp> {
    let unready = statuses(pod).filter(|status| !status.ready);
    let started =
        unready.filter_map(|status| Some(status.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0));
    let first = started.min()?;
    Timestamp::from_second(first.as_second() + BEGINNING).ok()
}

/// The end of the app's output before it ended last; none if it did not end.
pub(super) fn log(pod: &Pod) -> Option<String> {
    let ended = statuses(pod).filter(|status| !status.ready).find_map(exit::last)?;
    Some(exit::log(&ended)).filter(|log| !log.is_empty())
}

/// The pod can never become ready: its image has an invalid name or a forbidden user, or its program can never start.
pub(super) fn hopeless(pod: &Pod, trouble: &Trouble) -> bool {
    let certain = |status: &ContainerStatus| {
        let again = exit::last(status).is_some_and(|ended| exit::is_certain(&ended, status.restart_count));
        again && !status.ready
    };
    match trouble.reason.as_str() {
        "InvalidImageName" | IMAGE_RUNS_AS_ROOT | IMAGE_USER_UNKNOWN => true,
        "CrashLoopBackOff" | "RunContainerError" | "ContainerExits" => statuses(pod).any(certain),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
