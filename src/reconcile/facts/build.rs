//! Facts from a build Job and its pods.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::observed::{BuildJob, JobState};
use crate::crd::conditions::Reason;
use crate::desired::names;
use crate::memory::ledger::{Attempts, Ledger};
use crate::memory::record::Record;
use crate::protocol::build_target::BuildTarget;
use crate::protocol::report::{EXIT_VERDICT, Failed, LAST_WORDS_SECONDS, Report};
use crate::version::identity;

mod trouble;

/// Time that a build keeps its place in the queue while Kubernetes says why its pod does not run.
const PLACE: SignedDuration = SignedDuration::from_mins(1);

/// Reason of a build that was terminated before its own time was over, because it had waited too long for its node.
const CANCELLED: &str = "Cancelled";

/// Reason of a build whose builder pod went away.
const BUILDER_LOST: &str = "BuilderLost";

/// The Job of the builder pod of a build, and its pods.
pub type Builder = (Arc<Job>, Vec<Arc<Pod>>);

/// Reads a Job; none if the annotations that say what it builds are gone.
pub fn job(job: &Job, pods: &[Arc<Pod>], builder: Option<&Builder>) -> Option<BuildJob> {
    let annotation = |name: &str| job.annotations().get(name).map(String::as_str);
    let pods: Vec<&Pod> = pods.iter().map(AsRef::as_ref).filter(|pod| belongs(pod, job)).collect();
    let status = job.status.as_ref();
    let state = state(job, &pods);
    // The build pod only knows that its builder pod is gone.
    let state = match (state, builder.and_then(trouble::full_builder)) {
        (JobState::Failed(failed), Some(full)) if failed.reason == BUILDER_LOST => {
            JobState::Failed(Failed { reason: full.reason, message: full.message, ..failed })
        }
        (state, _) => state,
    };
    let runs = state == JobState::Running;
    let closes = matches!(state, JobState::Built(_) | JobState::Failed(_)) && self::finished(job).is_none();
    let finished = ended_at(job, &pods, &state);
    let started = status.and_then(|status| status.start_time.as_ref()).map(|time| time.0);
    let trouble = Some(()).filter(|()| runs).and_then(|()| trouble::of_running(job, &pods));
    // A pod that was evicted did run. Its Job replaces it.
    let waits = trouble.as_ref().filter(|trouble| trouble.reason != Reason::Evicted.name());
    let waits_since = waits.and(started).map(|started| newest(&pods).unwrap_or(started));
    let of_builder = builder.filter(|_| runs && trouble.is_none()).and_then(trouble::of_builder);
    let (trouble, waits_since) =
        of_builder.map_or((trouble, waits_since), |(trouble, since)| (Some(trouble), Some(since)));
    Some(BuildJob {
        name: job.name_any(),
        of: names::parse_build_of(annotation(names::BUILD_OF)?)?,
        attempt: annotation(names::ATTEMPT)?.parse().ok()?,
        reason: annotation(names::BUILD_REASON).unwrap_or_default().to_owned(),
        state,
        started,
        cutoff: started.and_then(|started| cutoff(job, started)).map(|end| place_ends(waits_since, end)),
        finished,
        closes,
        trouble,
    })
}

/// The state of the build at `now`. If its pod does not run a minute after its creation, and Kubernetes says why, the build
/// has failed, and its place in the queue goes to another. The same holds at the time when a running pod would send its last
/// report: the reason would be lost with the pod.
#[must_use]
pub fn by_now(build: BuildJob, job: &Job, pods: &[Arc<Pod>], now: Timestamp) -> BuildJob {
    if build.state != JobState::Running || build.cutoff.is_none_or(|last| last > now) {
        return build;
    }
    // The deadline has ended the pod, and the Job is about to report it.
    let left = pods
        .iter()
        .filter(|pod| belongs(pod, job))
        .all(|pod| pod.metadata.deletion_timestamp.is_some() && !is_running(pod));
    let why = match build.trouble.clone() {
        Some(trouble) => trouble::over(job, trouble, build.started.zip(build.cutoff)),
        None if left => trouble::timeout(job, ""),
        None => return build,
    };
    BuildJob { state: JobState::Lost(why), trouble: None, ..build }
}

fn cutoff(job: &Job, started: Timestamp) -> Option<Timestamp> {
    let deadline = u64::try_from(job.spec.as_ref()?.active_deadline_seconds?).ok()?;
    let seconds = i64::try_from(deadline.saturating_sub(LAST_WORDS_SECONDS).max(1)).ok()?;
    Timestamp::from_second(started.as_second().saturating_add(seconds)).ok()
}

/// When a build whose pod does not run since `waits_since` gives its place back, at the latest at `end`.
fn place_ends(waits_since: Option<Timestamp>, end: Timestamp) -> Timestamp {
    let patience = |since: Timestamp| since.saturating_add(PLACE).unwrap_or(end);
    waits_since.map_or(end, |since| patience(since).min(end))
}

/// When the newest of these pods was created: a pod that replaces another has its own time to start.
fn newest(pods: &[&Pod]) -> Option<Timestamp> {
    pods.iter().filter_map(|pod| Some(pod.metadata.creation_timestamp.as_ref()?.0)).max()
}

/// Whether the Job created this pod.
#[must_use]
pub fn belongs(pod: &Pod, job: &Job) -> bool {
    pod.owner_references().iter().any(|owner| Some(&owner.uid) == job.uid().as_ref())
}

fn state(job: &Job, pods: &[&Pod]) -> JobState {
    if job.metadata.deletion_timestamp.is_some() {
        return JobState::Ending;
    }
    let Some((condition, _)) = finished(job) else {
        let suspended = is_suspended(job);
        return if suspended { JobState::Queued } else { decided(job, pods).unwrap_or(JobState::Running) };
    };
    let over = condition.reason.as_deref() == Some("DeadlineExceeded");
    match last_ended(pods) {
        // The watch of pods lags behind the watch of Jobs: the end of the pod has yet to arrive.
        None if pods.iter().any(|pod| is_running(pod)) => JobState::Running,
        None => JobState::Lost(trouble::of_ended(job, pods, condition, None)),
        Some(last) => match report(last) {
            Some(Report::Built(built)) => JobState::Built(built),
            Some(Report::Failed(failed)) if over && failed.reason == CANCELLED => {
                JobState::Lost(trouble::timeout(job, &format!("{:?}", failed.stage)))
            }
            Some(Report::Failed(failed)) => JobState::Failed(failed),
            None => JobState::Lost(trouble::of_ended(job, pods, condition, Some(last))),
        },
    }
}

/// The result of a Job whose condition is still to come, about two seconds after its container has ended. Only what no
/// later pod can change counts: an image, and the exit code for which the Job allows no other pod. The start of the Job must
/// be known, so that a watch that lags behind changes nothing in status later.
fn decided(job: &Job, pods: &[&Pod]) -> Option<JobState> {
    job.status.as_ref()?.start_time.as_ref()?;
    let ended = last_ended(pods)?;
    match report(ended)? {
        Report::Built(built) if ended.exit_code == 0 => Some(JobState::Built(built)),
        Report::Failed(failed) if ended.exit_code == EXIT_VERDICT => Some(JobState::Failed(failed)),
        Report::Built(_) | Report::Failed(_) => None,
    }
}

/// When the build ended: by its container if the report counts at once, so that the time is the same before and after the
/// Job's own condition.
fn ended_at(job: &Job, pods: &[&Pod], state: &JobState) -> Option<Timestamp> {
    let at_once = decided(job, pods).is_some_and(|decided| decided == *state);
    let container = last_ended(pods).filter(|_| at_once).and_then(|ended| ended.finished_at.clone());
    let of_job = || job.status.as_ref()?.completion_time.clone();
    container.map(|time| time.0).or_else(|| Some(finished(job)?.1)).or_else(|| Some(of_job()?.0))
}

/// The end of the build container that ended last.
fn last_ended<'a>(pods: &[&'a Pod]) -> Option<&'a ContainerStateTerminated> {
    let statuses = pods.iter().filter_map(|pod| build_status(pod));
    let ended = statuses.filter_map(|status| status.state.as_ref()?.terminated.as_ref());
    ended.max_by_key(|ended| ended.finished_at.as_ref().map(|time| time.0))
}

/// The Job has ended, successfully or not.
#[must_use]
pub fn is_finished(job: &Job) -> bool {
    finished(job).is_some()
}

/// The Job has failed.
#[must_use]
pub fn has_failed(job: &Job) -> bool {
    finished(job).is_some_and(|(condition, _)| condition.type_ == "Failed")
}

/// The Job was not started yet, or was stopped.
#[must_use]
pub fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

/// The Job was neither started nor deleted.
#[must_use]
pub fn waits(job: &Job) -> bool {
    is_suspended(job) && job.metadata.deletion_timestamp.is_none() && !is_finished(job)
}

/// Neither the ledger nor the records have the result of this Job yet.
#[must_use]
pub fn is_open(ledger: Option<&Ledger>, records: &BTreeMap<String, Record>, job: &BuildJob) -> bool {
    let Some(ledger) = ledger else { return false };
    let open = |attempts: &Attempts| attempts.attempt == job.attempt && attempts.failed.is_none();
    match &job.of {
        BuildTarget::Key(key) => {
            let of_key = |record: &&Record| record.facts.key.as_ref() == Some(key);
            let attempts = ledger.attempts(key);
            let built = || records.values().filter(of_key).any(|record| record.image.is_some());
            open(&attempts) && (attempts.lost.is_some() || !built())
        }
        BuildTarget::Lookup(number) => ledger.lookup.as_ref().is_some_and(|lookup| {
            lookup.number == *number
                && match lookup.answer.as_ref().filter(|answer| answer.number >= *number) {
                    None => open(&lookup.attempts),
                    Some(answer) => wants_image(ledger, records, &answer.source.digest),
                }
        }),
    }
}

/// The ledger gets the result of a lookup before the record gets the image. Until then only the pod of the Job knows
/// the image, and without the pod the same source would be built again.
fn wants_image(ledger: &Ledger, records: &BTreeMap<String, Record>, digest: &str) -> bool {
    let mut of_source = records
        .values()
        .filter(|record| identity(&record.facts.source.digest) == identity(digest))
        .peekable();
    let failed =
        |record: &Record| record.facts.key.as_ref().is_some_and(|key| ledger.attempts(key).failed.is_some());
    of_source.peek().is_none() || of_source.any(|record| record.image.is_none() && !failed(record))
}

pub(super) fn finished(job: &Job) -> Option<(&JobCondition, Timestamp)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions.iter().find(|condition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    })?;
    Some((ended, ended.last_transition_time.as_ref().map(|time| time.0).unwrap_or_default()))
}

fn build_status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.iter().flatten().find(|status| status.name == names::BUILD)
}

/// The container of the pod runs. The container states of a pod that failed as a whole are stale.
fn is_running(pod: &Pod) -> bool {
    let ended = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed");
    !ended
        && build_status(pod)
            .and_then(|status| status.state.as_ref())
            .is_some_and(|state| state.running.is_some())
}

fn report(ended: &ContainerStateTerminated) -> Option<Report> {
    serde_json::from_str(ended.message.as_deref()?).ok()
}

#[cfg(test)]
mod tests;
