//! Which build Jobs should exist.

use crate::crd::spec::Takeover;
use crate::desired::names;
use crate::memory::ledger::{Attempts, Lookup};
use crate::memory::record::Record;
use crate::version::identity;

use super::super::observed::{BuildJob, Child, JobState};
use super::super::target::last_live;
use super::{Situation, Step};
use crate::protocol::build_target::BuildTarget;

/// Whether a Job of this kind and attempt is still needed.
pub(super) fn is_needed(situation: &Situation<'_>, of: &BuildTarget, attempt: u32) -> bool {
    let goes_on = |attempts: &Attempts| attempts.failed.is_none() && attempts.attempt == attempt;
    match of {
        BuildTarget::Lookup(number) => {
            situation.pending().is_some_and(|lookup| lookup.number == *number && goes_on(&lookup.attempts))
        }
        BuildTarget::Key(key) => {
            let is_wanted = to_build(situation).any(|(of, _)| of == key);
            is_wanted && goes_on(&situation.ledger.attempts(key))
        }
    }
}

/// What to build, as build key and record. First what serves, if its image is gone: its pods may need it at any time. Then the
/// target, if it has no image and the spec still describes how to build it.
fn to_build<'a>(situation: &'a Situation<'_>) -> impl Iterator<Item = (&'a String, &'a Record)> {
    let from_spec = situation.target.from_spec.as_ref().and_then(|from_spec| from_spec.key.as_ref());
    // While another version is on trial, the operator may return to the one that was live last.
    let live = last_live(situation.ledger, |version| situation.built(version));
    let serving = [situation.target.in_place.as_deref(), live].into_iter().flatten();
    let record = |version: &str| situation.observed.records.get(version);
    let lost = serving.filter_map(record).filter(|record| record.lost.is_some());
    let wanted = lost.chain(situation.target.version.as_deref().and_then(record));
    wanted.filter(|record| record.image.is_none()).filter_map(move |record| {
        let (key, version) = (record.facts.key.as_ref()?, record.facts.version.as_str());
        let due = if record.lost.is_some() {
            situation.rebuildable(version) && !costs_an_interruption(situation, version)
        } else {
            from_spec == Some(key)
        };
        due.then_some((key, record))
    })
}

/// A rebuilt image has another digest, so its pods replace the old ones. If these run and end first, nothing answers in between:
/// then the image is built again only when a pod needs it.
fn costs_an_interruption(situation: &Situation<'_>, version: &str) -> bool {
    let replaces = situation.project.rollout.strategy == Takeover::Replace;
    replaces && situation.target.in_place.as_deref() == Some(version) && !needs_image(situation)
}

/// A pod waits for a lost image, or a version that is to run does.
fn needs_image(situation: &Situation<'_>) -> bool {
    let rollout = situation.observed.rollout.as_ref();
    let target = situation.target.version.as_deref();
    rollout.is_none_or(|rollout| rollout.missing_image.is_some())
        || target != situation.target.in_place.as_deref()
}

/// A build that is no longer needed, was cancelled, did not run in its time, or is queued while the project is stopped.
/// Status says `Cancelled` only once its pod is gone.
pub(super) fn unneeded(situation: &Situation<'_>) -> Option<Step> {
    let unneeded = |job: &&BuildJob| {
        let waits_in_vain = situation.project.stopped() && job.state == JobState::Queued;
        let never_ran = matches!(job.state, JobState::Lost(_)) && job.finished.is_none();
        let goes_on = job.state.is_active() || never_ran;
        goes_on
            && (waits_in_vain || !is_needed(situation, &job.of, job.attempt))
            && !has_reported(situation, job)
    };
    situation.observed.jobs.iter().find(unneeded).map(|job| Step::DeleteBuildJob { job: job.name.clone() })
}

/// Its result is recorded, so its pod has ended, even if the caches of a new leader still show it running. Ending it would delete
/// its log, and gain nothing.
fn has_reported(situation: &Situation<'_>, job: &BuildJob) -> bool {
    let Situation { ledger, observed, .. } = situation;
    job.state == JobState::Running
        && match &job.of {
            BuildTarget::Lookup(number) => {
                let answer = ledger.lookup.as_ref().and_then(|lookup| lookup.answer.as_ref());
                answer.is_some_and(|answer| answer.number == *number)
            }
            BuildTarget::Key(key) => {
                let attempts = ledger.attempts(key);
                let has_image =
                    |record: &Record| record.image.is_some() && record.facts.key.as_ref() == Some(key);
                attempts.failed.is_none()
                    && attempts.attempt == job.attempt
                    && observed.records.values().any(has_image)
            }
        }
}

/// A lookup or a build is due: no verdict, no Job of this attempt, and the backoff after a fault is over. A project has one
/// build at a time, so it waits until the Job of the last one has ended.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    let closes = situation.observed.jobs.iter().any(|job| job.closes);
    if closes || situation.project.stopped() || situation.observed.refused(Child::Job) {
        return None;
    }
    let lookup =
        situation.pending().map(|lookup| (BuildTarget::Lookup(lookup.number), lookup.attempts.clone(), None));
    let keys = to_build(situation).map(|(key, record)| {
        let digest = Some(record.facts.source.digest.clone());
        (BuildTarget::Key(key.clone()), situation.ledger.attempts(key), digest)
    });
    let (of, attempts, digest) =
        lookup.into_iter().chain(keys).find(|(of, attempts, _)| is_due(situation, of, attempts))?;
    let reason = reason(situation, &of, &attempts);
    Some(Step::CreateBuildJob { of, attempt: attempts.attempt, digest, reason })
}

fn is_due(situation: &Situation<'_>, of: &BuildTarget, attempts: &Attempts) -> bool {
    let observed = situation.observed;
    let paused =
        attempts.fault.as_ref().is_some_and(|fault| fault.left(observed.retry_base, observed.now) > 0);
    let there = observed.jobs.iter().any(|job| job.of == *of && job.attempt == attempts.attempt);
    // A lost image does not take a second place of the project.
    let busy = || observed.jobs.iter().any(|job| job.is_in_the_way(names::POLLED));
    attempts.failed.is_none() && !paused && !there && (attempts.lost.is_none() || !busy())
}

/// Why this build is needed, for people.
fn reason(situation: &Situation<'_>, of: &BuildTarget, attempts: &Attempts) -> &'static str {
    let from_spec = situation.target.from_spec.as_ref();
    let same_source = |digest: &String| {
        let target = situation.target.version.as_ref();
        let others = situation.observed.records.iter().filter(|(version, _)| Some(*version) != target);
        others.into_iter().any(|(_, record)| identity(&record.facts.source.digest) == identity(digest))
    };
    let polls = || situation.ledger.lookup.as_ref().is_some_and(Lookup::polls);
    match of {
        BuildTarget::Lookup(_) if polls() => names::POLLED,
        _ if attempts.lost.is_some() && needs_image(situation) => names::IMAGE_LOST,
        _ if attempts.lost.is_some() => names::REBUILT_AHEAD,
        _ if attempts.attempt > 0 => "Retried",
        _ if situation.observed.records.values().all(|record| record.image.is_none()) => "FirstBuild",
        BuildTarget::Key(_) if from_spec.is_some_and(|from_spec| same_source(&from_spec.source.digest)) => {
            "SettingsChanged"
        }
        _ => "SourceChanged",
    }
}
