//! Facts from the Job of an init command and its pods.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::build::{belongs, finished};
use super::outside::{INIT_COMMAND_FAILED, is_outside};
use super::security::explained;
use super::{exit, pod, pull};
use crate::desired::init_job::START_SECONDS;
use crate::desired::names;
use crate::memory::ledger::{InitRun, Ledger};
use crate::memory::record::Record;
use crate::text::bounded;

use super::super::observed::Trouble;
use super::super::observed::init::{InitFailure, InitJob, InitState};

/// Seconds before the deadline of the Job at which a pod that does not run counts as failed.
const LAST_WORDS_SECONDS: i64 = 20;

/// The reason, of Kubernetes and of this operator, for a missed deadline.
const DEADLINE: &str = "DeadlineExceeded";

/// Reads a Job; none if it runs no init command. `record` belongs to its version.
pub fn job(job: &Job, pods: &[Arc<Pod>], record: Option<&Record>, now: Timestamp) -> Option<InitJob> {
    let annotation = |name: &str| job.annotations().get(name);
    let pods: Vec<&Pod> = pods.iter().map(AsRef::as_ref).filter(|pod| belongs(pod, job)).collect();
    let says = |trouble| pull::explained(explained(trouble, record));
    let trouble = pods.iter().find_map(|pod| pod::waiting(pod)).map(says);
    let cutoff = cutoff(job).filter(|_| finished(job).is_none());
    let seen = InitJob {
        name: job.name_any(),
        version: annotation(names::INIT_OF)?.clone(),
        number: annotation(names::ATTEMPT)?.parse().ok()?,
        state: state(job, &pods),
        trouble,
        cutoff,
    };
    Some(by_now(seen, now))
}

/// A pod that has not run by now counts as failed: the reason that Kubernetes gives would be lost with the pod.
fn by_now(seen: InitJob, now: Timestamp) -> InitJob {
    let over = seen.cutoff.filter(|last| *last <= now && seen.state == InitState::Running);
    let Some((at, trouble)) = over.zip(seen.trouble.clone()) else { return seen };
    let trouble =
        Trouble { message: format!("its init command did not start: {}", trouble.message), ..trouble };
    InitJob { state: InitState::Failed(failure(trouble, String::new(), at)), ..seen }
}

fn cutoff(job: &Job) -> Option<Timestamp> {
    let started = job.status.as_ref()?.start_time.as_ref()?.0;
    let deadline = job.spec.as_ref()?.active_deadline_seconds?;
    Timestamp::from_second(started.as_second().saturating_add(deadline - LAST_WORDS_SECONDS)).ok()
}

fn state(job: &Job, pods: &[&Pod]) -> InitState {
    if job.metadata.deletion_timestamp.is_some() {
        return InitState::Ending;
    }
    let Some((condition, at)) = finished(job) else { return InitState::Running };
    if condition.type_ == "Complete" {
        return InitState::Done;
    }
    let last = last(pods);
    let log = last.as_ref().map(exit::log).unwrap_or_default();
    let over =
        condition.reason.as_deref() == Some(DEADLINE) || pods.iter().any(|pod| reason(pod) == Some(DEADLINE));
    let trouble = match last {
        _ if over => Trouble { reason: DEADLINE.to_owned(), message: too_long(job) },
        Some(ended) => {
            Trouble { reason: INIT_COMMAND_FAILED.to_owned(), message: exit::words(&ended, exit::INIT) }
        }
        None => unheard(pods),
    };
    let trouble = Trouble { message: bounded(&trouble.message, 600), ..trouble };
    InitState::Failed(failure(trouble, log, at))
}

fn failure(trouble: Trouble, log: String, at: Timestamp) -> InitFailure {
    InitFailure { outside: is_outside(&trouble), trouble, log, at }
}

fn too_long(job: &Job) -> String {
    let deadline = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds).unwrap_or(0);
    format!(
        "its init command did not end within {} s: raise spec.run.initCommand.deadlineSeconds, or find out what it waits for",
        (deadline - START_SECONDS).max(0)
    )
}

/// Its pod is gone without a result: it was deleted, or its node is gone.
fn unheard(pods: &[&Pod]) -> Trouble {
    let said = pods.iter().find_map(|pod| pod.status.as_ref()?.message.clone());
    let reason = pods.iter().find_map(|pod| reason(pod)).unwrap_or("PodLost").to_owned();
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    Trouble { reason, message: format!("the pod of its init command is gone and did not report why{said}") }
}

fn reason(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.reason.as_deref()
}

fn last(pods: &[&Pod]) -> Option<ContainerStateTerminated> {
    let statuses = pods.iter().filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref()).flatten();
    let ended = statuses.filter(|status| status.name == names::INIT).filter_map(exit::last);
    ended.max_by_key(|ended| ended.finished_at.as_ref().map(|time| time.0))
}

/// The Job failed, its known pods do not say why, and the ledger still waits for the result.
pub fn is_unheard(ledger: Option<&Ledger>, seen: &InitJob, pods: &[Arc<Pod>], job: &Job) -> bool {
    let waits = |run: &InitRun| !run.ended && run.number == seen.number;
    let pods: Vec<&Pod> = pods.iter().map(AsRef::as_ref).filter(|pod| belongs(pod, job)).collect();
    ledger.and_then(|ledger| ledger.init.as_ref()).is_some_and(waits)
        && matches!(seen.state, InitState::Failed(_))
        && last(&pods).is_none()
}

#[cfg(test)]
mod tests;
