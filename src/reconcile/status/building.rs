//! The part of the headline about builds: queued, running, failed, cancelled, or waiting for a retry.

use super::headline::{Headline, annotate, stays};
use super::{View, failure, lost_images};
use crate::crd::conditions::Reason;
use crate::memory::ledger::{Attempts, Failure, Fault, Lookup};
use crate::text::bounded;
use crate::version::short;

use super::super::observed::{BuildJob, JobState, Trouble};
use super::super::target::open_lookup;
use crate::protocol::build_target::BuildTarget;

/// Longest message of a rejection that is passed on, in bytes.
const MAX_REJECTION: usize = 500;

/// A lookup that is not a poll has no answer yet.
pub(super) fn lookup_is_open(view: &View<'_>) -> bool {
    pending(view).is_some_and(|lookup| !lookup.polls())
}

fn pending<'a>(view: &'a View<'_>) -> Option<&'a Lookup> {
    open_lookup(view.project, view.ledger, &view.target)
}

/// Why a poll failed. It does not affect the version that serves.
pub(super) fn poll_fails(view: &View<'_>) -> Option<String> {
    let fault = pending(view).filter(|lookup| lookup.polls())?.attempts.fault.as_ref()?;
    Some(format!(
        "; polling {} failed: {}. Retrying with backoff",
        view.project.reference(),
        fault.failure.message
    ))
}

/// A branch or tag is being looked up, and the same Job builds. If a rollback left just this lookup, the version that
/// runs instead makes the headline.
pub(super) fn looked_up(view: &View<'_>) -> Option<Headline> {
    let left = view.target.held && view.target.desired.is_none();
    let lookup = pending(view).filter(|lookup| !lookup.polls() && !left)?;
    let job = job_of(view, &BuildTarget::Lookup(lookup.number), lookup.attempts.attempt);
    Some(building(view, &lookup.attempts, job, &view.project.reference(), None))
}

/// The target has no image.
pub(super) fn image(view: &View<'_>) -> Option<Headline> {
    let target = view.target.version.as_deref()?;
    let record = view.observed.records.get(target)?;
    if record.image.is_some() {
        return None;
    }
    if record.lost.is_some() {
        return lost_images::headline(view, record);
    }
    let key = record.facts.key.as_deref()?;
    let yields = view.target.from_spec.as_ref().and_then(|from_spec| from_spec.key.as_deref()) == Some(key);
    let attempts = view.ledger.attempts(key);
    let job = job_of(view, &BuildTarget::Key(key.to_owned()), attempts.attempt);
    if !yields && attempts.failed.is_none() {
        let message = format!(
            "{} has no image, and the spec no longer says how to build it. The running version stays. Name another one in spec.pinnedVersion or doce.dev/rollback",
            short(target)
        );
        return Some(Headline::stalled(Reason::VersionUnknown, message));
    }
    Some(building(view, &attempts, job, &short(target), Some(target)))
}

pub(super) fn job_of<'a>(view: &'a View<'_>, of: &BuildTarget, attempt: u32) -> Option<&'a BuildJob> {
    view.observed.jobs.iter().find(|job| job.of == *of && job.attempt == attempt)
}

pub(super) fn building(
    view: &View<'_>,
    attempts: &Attempts,
    job: Option<&BuildJob>,
    what: &str,
    version: Option<&str>,
) -> Headline {
    if let Some(failed) = &attempts.failed {
        let retry = annotate(view.project, "retry", "@$(date +%s)");
        let stays = stays(view);
        let reason = if attempts.cancelled { Reason::Cancelled } else { Reason::BuildFailed };
        let ending = job.is_some_and(|job| job.state.is_active())
            || view.observed.jobs.iter().any(|job| job.state == JobState::Ending);
        if attempts.cancelled && ending {
            return Headline::working(
                Reason::Building,
                format!("The build of {what} is being cancelled{stays}"),
            );
        }
        let message = match reason {
            Reason::Cancelled => format!("{}{stays}. Build it anyway: {retry}", failed.message),
            _ => format!(
                "The build of {what} failed at stage {}: {}{stays}. Push a fix, or retry: {retry}",
                failed.stage, failed.message
            ),
        };
        return Headline { failure: Some(failure(version, failed)), ..Headline::stalled(reason, message) };
    }
    match (job.map(|job| &job.state), &attempts.fault) {
        (Some(JobState::Queued), _) if view.observed.start_rejected.is_some() => {
            let why = view.observed.start_rejected.as_deref().unwrap_or_default();
            let message = format!(
                "The API server rejects the start of the build of {what}: {}. The operator tries again every minute, and other \
                 builds go on{}",
                bounded(why, MAX_REJECTION),
                stays(view)
            );
            Headline::working(Reason::PodForbidden, message)
        }
        (Some(JobState::Queued), _) => {
            let place = view.observed.position.map_or_else(
                || "waits for its turn".to_owned(),
                |place| format!("is {} in the queue", ordinal(place)),
            );
            Headline::working(Reason::Queued, format!("The build of {what} {place}{}", stays(view)))
        }
        (Some(JobState::Running), _) if job.is_some_and(|job| job.trouble.is_some()) => {
            waiting(view, job.and_then(|job| job.trouble.as_ref()), what, version)
        }
        (Some(JobState::Running), fault) => {
            let id = job.map_or("", |job| job.name.as_str());
            let before = fault
                .as_ref()
                .map(|fault| format!(" again after a fault: {}", fault.failure.message))
                .unwrap_or_default();
            let log = format!("kubectl logs -f job/{id} -n {}", view.project.namespace);
            let message = format!("{what} is being built{before}{}. Logs: {log}", stays(view));
            let failure = fault.as_ref().map(|fault| failure(version, &fault.failure));
            Headline { failure, ..Headline::working(Reason::Building, message) }
        }
        (_, Some(fault)) => faulty(view, fault, what, version),
        (_, None) => {
            Headline::working(Reason::Queued, format!("The build of {what} is about to start{}", stays(view)))
        }
    }
}

/// 1st, 2nd, 3rd, 4th, … 11th, … 21st.
fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The build was started, but its pod does not run yet.
fn waiting(view: &View<'_>, trouble: Option<&Trouble>, what: &str, version: Option<&str>) -> Headline {
    let trouble = trouble.cloned().unwrap_or_default();
    let reason = Reason::of_fault(&trouble.reason).unwrap_or(Reason::BuildFault);
    let message = format!(
        "{what} cannot be built yet: {}{}. Kubernetes keeps trying until the build's deadline",
        trouble.message,
        stays(view)
    );
    let failed = failure(version, &Failure::from(&trouble));
    Headline { failure: Some(failed), ..Headline::working(reason, message) }
}

fn faulty(view: &View<'_>, fault: &Fault, what: &str, version: Option<&str>) -> Headline {
    let reason = word(&fault.failure);
    let pause = fault.pause(view.observed.retry_base);
    let message = format!(
        "{what}: {}{}. Failed attempts in a row: {}. Retrying {pause} s after the last one",
        fault.failure.message,
        stays(view),
        fault.count
    );
    Headline { failure: Some(failure(version, &fault.failure)), ..Headline::working(reason, message) }
}

/// The reason of Ready for a fault: that of the fault if it tells a person what to do, else one for its stage.
fn word(failure: &Failure) -> Reason {
    Reason::of_fault(&failure.reason).unwrap_or(match failure.stage.as_str() {
        "Resolve" | "Fetch" => Reason::SourceUnavailable,
        "Push" => Reason::RegistryUnavailable,
        _ => Reason::BuildFault,
    })
}

#[cfg(test)]
mod tests {
    use super::{Failure, Reason, ordinal, word};

    #[test]
    fn each_build_failure_maps_to_its_condition_reason() {
        let word = |stage: &str, reason: &str| {
            word(&Failure { stage: stage.into(), reason: reason.into(), ..Failure::default() })
        };
        for (stage, reason, expected) in [
            ("Resolve", "SourceUnreachable", Reason::SourceUnavailable),
            ("Resolve", "SourceAuthFailed", Reason::SourceAuthFailed),
            ("Fetch", "SourceAuthFailed", Reason::SourceAuthFailed),
            ("Fetch", "OutOfDisk", Reason::OutOfDisk),
            ("Push", "RegistryUnavailable", Reason::RegistryUnavailable),
            ("Push", "RegistryDenied", Reason::RegistryDenied),
            ("Push", "RegistryFull", Reason::RegistryFull),
            ("Build", "BuilderUnavailable", Reason::BuildFault),
        ] {
            assert_eq!(word(stage, reason), expected, "{stage} {reason}");
        }
    }

    #[test]
    fn queue_positions_are_written_as_ordinals() {
        let told: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 113].map(ordinal).into();
        assert_eq!(told.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th 113th");
    }
}
