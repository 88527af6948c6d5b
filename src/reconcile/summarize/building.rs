//! The part of the headline that is about builds: queued, running, failed, cancelled, or to be tried again.

use super::ready::{Headline, annotate, stays};
use super::{View, failure};
use crate::crd::conditions::Reason;
use crate::ledger::{Attempts, Fault};
use crate::version::short;

use super::super::asked::Pin;
use super::super::world::{BuildJob, BuildOf, JobState};

/// A branch or tag is not answered yet.
pub(super) fn lookup_is_open(view: &View<'_>) -> bool {
    open_lookup(view).is_some()
}

fn open_lookup<'a>(view: &'a View<'_>) -> Option<&'a crate::ledger::Lookup> {
    let crate::project::Origin::LookedUp(of) = view.project.origin() else { return None };
    let open = |lookup: &&crate::ledger::Lookup| {
        lookup.of == of && lookup.answer.as_ref().is_none_or(|answer| answer.number < lookup.number)
    };
    view.ledger.lookup.as_ref().filter(open).filter(|_| !matches!(view.asked.pin, Pin::Known(_)))
}

/// A branch or tag is being looked up; the Job that does it builds as well.
pub(super) fn looked_up(view: &View<'_>) -> Option<Headline> {
    let lookup = open_lookup(view)?;
    let job = job_of(view, &BuildOf::Lookup(lookup.number), lookup.attempts.attempt);
    Some(building(view, &lookup.attempts, job, &view.project.reference(), None))
}

/// The wanted version has no image.
pub(super) fn image(view: &View<'_>) -> Option<Headline> {
    let wanted = view.asked.wanted.as_deref()?;
    let record = view.world.records.get(wanted)?;
    if record.image.is_some() {
        return None;
    }
    let key = record.facts.key.as_deref()?;
    let yields = view.asked.yielded.as_ref().and_then(|yielded| yielded.key.as_deref()) == Some(key);
    let attempts = view.ledger.attempts(key);
    let job = job_of(view, &BuildOf::Key(key.to_owned()), attempts.attempt);
    if !yields && attempts.failed.is_none() {
        let message = format!(
            "{} has no image and the spec no longer says how to build it; what runs stays. Ask for another version",
            short(wanted)
        );
        return Some(Headline::stalled(Reason::VersionUnknown, message));
    }
    Some(building(view, &attempts, job, &short(wanted), Some(wanted)))
}

fn job_of<'a>(view: &'a View<'_>, of: &BuildOf, attempt: u32) -> Option<&'a BuildJob> {
    view.world.jobs.iter().find(|job| job.of == *of && job.attempt == attempt)
}

fn building(
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
            || view.world.jobs.iter().any(|job| job.state == JobState::Ending);
        if attempts.cancelled && ending {
            return Headline::working(
                Reason::Building,
                format!("the build of {what} is being cancelled{stays}"),
            );
        }
        let message = match reason {
            Reason::Cancelled => format!("{}{stays}. To build it after all: {retry}", failed.message),
            _ => format!(
                "{what} failed at stage {}: {}{stays}. Push a fix, or try again: {retry}",
                failed.stage, failed.message
            ),
        };
        return Headline { failure: Some(failure(version, failed)), ..Headline::stalled(reason, message) };
    }
    match (job.map(|job| &job.state), &attempts.fault) {
        (Some(JobState::Queued), _) => Headline::working(
            Reason::Queued,
            format!("the build of {what} waits for its turn{}", stays(view)),
        ),
        (Some(JobState::Running), fault) => {
            let id = job.map_or("", |job| job.name.as_str());
            let trouble = job
                .and_then(|job| job.trouble.as_deref())
                .map(|trouble| format!("; its pod waits: {trouble}"))
                .unwrap_or_default();
            let before = fault
                .as_ref()
                .map(|fault| format!(" again, after: {}", fault.failure.message))
                .unwrap_or_default();
            let log = format!("kubectl logs -f job/{id} -n {}", view.project.namespace);
            let message = format!("{what} is being built{before}{trouble}{}. Its log: {log}", stays(view));
            let failure = fault.as_ref().map(|fault| failure(version, &fault.failure));
            Headline { failure, ..Headline::working(Reason::Building, message) }
        }
        (_, Some(fault)) => faulty(view, fault, what, version),
        (_, None) => {
            Headline::working(Reason::Queued, format!("the build of {what} is about to start{}", stays(view)))
        }
    }
}

fn faulty(view: &View<'_>, fault: &Fault, what: &str, version: Option<&str>) -> Headline {
    let reason = match fault.failure.stage.as_str() {
        "Resolve" | "Fetch" => Reason::SourceUnavailable,
        "Push" => Reason::RegistryUnavailable,
        _ => Reason::BuildFault,
    };
    let pause = fault.pause(view.world.retry_base);
    let message = format!(
        "{what}: {}{}. Tried again {pause} s after the last of {} attempts",
        fault.failure.message,
        stays(view),
        fault.count
    );
    Headline { failure: Some(failure(version, &fault.failure)), ..Headline::working(reason, message) }
}
