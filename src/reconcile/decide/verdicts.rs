//! Results of builds and rollouts become facts in the ledger and the records.

use crate::crd::annotations::RequestKind;
use crate::crd::conditions::MAX_MESSAGE;
use crate::memory::ledger::{Answer, Attempts, Failure, Fault, Ledger, Lookup, Outside};
use crate::memory::record::{ImageFact, SourceFact};
use crate::protocol::report::Failed;
use crate::text::bounded;
use crate::version::short;

use super::super::observed::{BuildJob, Child, JobState, Rollout};
use super::super::target::{from_spec, previous};
use super::requests::stamp;
use super::rollout::version_to_run;
use super::{Situation, Step};
use crate::protocol::build_target::BuildTarget;

/// A Job ended. Its image goes into the records of its key, its answer or failure into the ledger.
pub(super) fn job_finished(situation: &Situation<'_>) -> Option<Step> {
    image(situation).or_else(|| situation.observed.jobs.iter().find_map(|job| ended(situation, job)))
}

fn image(situation: &Situation<'_>) -> Option<Step> {
    if situation.observed.refused(Child::Ledger) {
        return None;
    }
    situation.observed.records.values().filter(|record| record.image.is_none()).find_map(|record| {
        let image = match record.facts.key.as_deref() {
            Some(key) => situation.observed.image_of(key)?,
            None => prebuilt(situation, &record.facts.version)?, // The annotation was removed.
        };
        if record.lost.as_ref().is_some_and(|lost| lost.reference == image.reference) {
            return None; // The registry has it again, and the record names it already.
        }
        Some(Step::WriteImage { version: record.facts.version.clone(), image })
    })
}

fn prebuilt(situation: &Situation<'_>, version: &str) -> Option<ImageFact> {
    let from_spec = situation.target.from_spec.as_ref().filter(|from_spec| from_spec.version == version);
    from_spec?.image.clone()
}

fn ended(situation: &Situation<'_>, job: &BuildJob) -> Option<Step> {
    match (&job.of, &job.state) {
        (BuildTarget::Lookup(number), JobState::Built(built)) => {
            let source = SourceFact {
                digest: built.source.clone(),
                reference: situation.project.reference(),
                message: built.message.clone(),
                author: built.author.clone(),
                committed_at: built.committed_at,
            };
            let answer = Answer { number: *number, source };
            answered(situation, answer, job).and_then(|ledger| situation.note(ledger))
        }
        (BuildTarget::Lookup(number), JobState::Failed(failed)) if failed.source.is_some() => {
            let source = SourceFact {
                digest: failed.source.clone().unwrap_or_default(),
                reference: situation.project.reference(),
                message: failed.subject.clone(),
                author: failed.author.clone(),
                committed_at: failed.committed_at,
            };
            let answer = Answer { number: *number, source };
            let mut ledger = answered(situation, answer, job)?;
            if let Some(key) = &failed.key {
                let before = ledger.attempts(key);
                let verdict = failed.is_verdict() && !before.cancelled; // A newer report of the same failure.
                // The builds of a lost image have their own backoff, and a poll that found no builder pod tried nothing.
                let polls = situation.ledger.lookup.as_ref().is_some_and(Lookup::polls);
                let no_builder = polls && failed.reason == "BuilderUnavailable";
                if before.lost.is_some() || no_builder {
                    return situation.note(ledger);
                }
                if verdict || before.failed.is_none() {
                    let before = Attempts { failed: None, ..before };
                    ledger.builds.insert(key.clone(), after_failure(before, failed, job));
                }
            }
            situation.note(ledger)
        }
        (BuildTarget::Lookup(number), JobState::Failed(_) | JobState::Lost(_)) => {
            let pending = situation.pending().filter(|lookup| lookup.number == *number)?;
            let mut lookup = pending.clone();
            lookup.attempts = match (counted(lookup.attempts.clone(), job)?, lookup.polls()) {
                // A failed poll says nothing about a version, so polling continues.
                (Attempts { failed: Some(failure), .. }, true) => note_fault(lookup.attempts, failure, job),
                (attempts, _) => attempts,
            };
            situation.note(Ledger { lookup: Some(lookup), ..situation.ledger.clone() })
        }
        (BuildTarget::Key(key), JobState::Failed(_) | JobState::Lost(_)) => {
            if situation.observed.image_of(key).is_some() {
                return None;
            }
            let mut ledger = situation.ledger.clone();
            ledger.builds.insert(key.clone(), counted(ledger.attempts(key), job)?);
            situation.note(ledger)
        }
        _ => None,
    }
}

fn answered(situation: &Situation<'_>, answer: Answer, job: &BuildJob) -> Option<Ledger> {
    let pending = situation.pending().filter(|lookup| lookup.number == answer.number)?;
    let lookup = crate::memory::ledger::Lookup {
        answer: Some(answer),
        at: job.finished.filter(|_| situation.project.interval.is_some()),
        attempts: Attempts::default(),
        ..pending.clone()
    };
    let mut ledger = Ledger { lookup: Some(lookup), ..situation.ledger.clone() };
    // A hold that left an unanswered lookup now leaves the version that the lookup yields, and no later one.
    let from_spec = from_spec(situation.project, situation.observed, &ledger);
    if let (Some(hold), Some(from_spec)) =
        (ledger.hold.as_mut().filter(|hold| hold.left == pending.of), from_spec)
    {
        hold.left = from_spec.version;
    }
    Some(ledger)
}

/// The attempts after the end of `job`; `None` if that attempt is outdated.
fn counted(attempts: Attempts, job: &BuildJob) -> Option<Attempts> {
    if attempts.attempt != job.attempt || attempts.failed.is_some() {
        return None;
    }
    match &job.state {
        JobState::Failed(failed) => Some(after_failure(attempts, failed, job)),
        JobState::Lost(why) => Some(after_fault(attempts, Failure::from(why), job)),
        _ => None,
    }
}

/// Reasons that are faults at first, because another node or another hour may be enough. A build that always needs more than
/// it may have ends for the same reason again and again.
const ENDS: [&str; 4] = ["OutOfMemory", "OutOfDisk", "BuildTimeout", "BuilderLost"];

/// After so many of them in a row, the build has failed.
const MOST_ALIKE: u32 = 5;

fn after_failure(attempts: Attempts, failed: &Failed, job: &BuildJob) -> Attempts {
    // The source did build before, so a rebuild of a lost image is tried until it succeeds.
    if failed.is_verdict() && attempts.lost.is_none() {
        return Attempts { failed: Some(Failure::from(failed)), fault: None, ..attempts };
    }
    after_fault(attempts, Failure::from(failed), job)
}

fn after_fault(attempts: Attempts, failure: Failure, job: &BuildJob) -> Attempts {
    let noted = note_fault(attempts, failure, job);
    match noted.fault {
        fault if noted.lost.is_some() => Attempts { fault, ..noted },
        Some(fault) if fault.alike + 1 >= MOST_ALIKE && ENDS.contains(&fault.failure.reason.as_str()) => {
            let message =
                format!("{}. {MOST_ALIKE} attempts in a row ended like this", fault.failure.message);
            let failed = Some(Failure { message, ..fault.failure });
            Attempts { attempt: job.attempt, failed, fault: None, ..noted }
        }
        fault => Attempts { fault, ..noted },
    }
}

fn note_fault(attempts: Attempts, failure: Failure, job: &BuildJob) -> Attempts {
    let last = attempts.fault.as_ref();
    let count = last.map_or(0, |fault| fault.count) + 1;
    let alike = last.filter(|last| last.failure.reason == failure.reason).map_or(0, |last| last.alike + 1);
    let at = job.finished.or(job.cutoff).or(job.started).unwrap_or_default();
    Attempts { attempt: attempts.attempt + 1, fault: Some(Fault { count, alike, at, failure }), ..attempts }
}

/// The Deployment and its version, if a verdict may rest on them: its status is current, replicas are desired, and the
/// template is the recorded one.
fn judged<'a>(situation: &'a Situation<'_>) -> Option<(&'a Rollout, &'a str)> {
    let rollout = situation.observed.rollout.as_ref()?;
    let version = rollout.version.as_deref()?;
    let counts = rollout.current && rollout.replicas > 0 && rollout.in_sync && !situation.project.stopped();
    (counts && situation.observed.records.contains_key(version)).then_some((rollout, version))
}

/// The version in place is Available, so it is live, or its restart succeeded.
pub(super) fn live(situation: &Situation<'_>) -> Option<Step> {
    // A version that was Available and failed while the operator was down was live too: no deadline would ever judge
    // it.
    let (rollout, version) =
        judged(situation).filter(|(rollout, _)| rollout.available || rollout.completed)?;
    let life = situation.ledger.state(version);
    let on_top = life.live.is_some_and(|live| live == situation.ledger.last_live);
    let alone = previous(situation.ledger, situation.observed, Some(version)).is_none();
    let goes_live = if life.failed.is_some() { alone } else { !on_top };
    let restarted = life.failed.is_none() && life.restarting() && rollout.stamp == life.restart;
    if !goes_live && !restarted {
        return None;
    }
    let mut ledger = situation.ledger.clone();
    if goes_live {
        ledger.last_live += 1;
    }
    let last = ledger.last_live;
    // The version that a hold is about to replace may become Available at that moment: this does not end the hold.
    let is_left = situation.target.held && situation.target.version.as_deref() != Some(version);
    if let Some(hold) = ledger.hold.as_mut().filter(|_| is_left) {
        hold.since = last;
    }
    let entry = ledger.versions.entry(version.to_owned()).or_default();
    entry.failed = None;
    entry.outside = None;
    entry.good_restart.clone_from(&rollout.stamp);
    if goes_live {
        entry.live = Some(last);
        entry.ready_at = entry.ready_at.or(rollout.completed_at);
    }
    situation.note(ledger)
}

/// The new pods of a live version did not become ready, so the restart is reverted, without a verdict.
pub(super) fn restart_failed(situation: &Situation<'_>) -> Option<Step> {
    let (rollout, version) =
        judged(situation).filter(|(rollout, _)| !rollout.available && rollout.deadline_over)?;
    let life = situation.ledger.state(version);
    let under_way = life.live.is_some() && life.restarting() && rollout.stamp == life.restart;
    if !under_way {
        return None;
    }
    let mut ledger = situation.ledger.clone();
    ledger.versions.entry(version.to_owned()).or_default().restart = life.good_restart;
    if let Some(seen) = ledger.handled.get_mut(&RequestKind::Restart) {
        let why = rollout.trouble.as_ref().map_or("the deadline passed", |trouble| &trouble.message);
        seen.outcome = format!("reverted: the new pods of {} did not become ready ({why})", short(version));
    }
    situation.note(ledger)
}

/// The version on trial did not become Available in time, or never can. Only a version that was never live is
/// judged, so one cause (a dead database) cannot condemn every version. It need not be the target: it runs while a
/// newer version has no image yet, and that one may never have one.
pub(super) fn trial_failed(situation: &Situation<'_>) -> Option<Step> {
    let (rollout, version) = judged(situation).filter(|(rollout, _)| !rollout.available)?;
    let life = situation.ledger.state(version);
    let on_trial = version_to_run(situation) == Some(version) && life.live.is_none() && life.failed.is_none();
    let hopeless = rollout.hopeless.as_ref();
    let about_to_start_anew = rollout.stamp != life.restart; // The old pods say nothing about the retry.
    if !on_trial || about_to_start_anew || !(rollout.deadline_over || hopeless.is_some()) {
        return None;
    }
    let deadline = situation.project.rollout.deadline_seconds;
    let trouble = hopeless.or(rollout.trouble.as_ref());
    let (reason, message) = trouble.map_or_else(
        || ("ProgressDeadlineExceeded".to_owned(), format!("its pods were not ready within {deadline} s")),
        |trouble| (trouble.reason.clone(), trouble.message.clone()),
    );
    let (message, log) = (bounded(&message, MAX_MESSAGE), rollout.log.clone());
    let failure = Failure { stage: "Rollout".to_owned(), reason, message, log };
    let mut ledger = situation.ledger.clone();
    let life = ledger.versions.entry(version.to_owned()).or_default();
    life.failed = Some(failure);
    life.outside = outside(situation, rollout, version);
    situation.note(ledger)
}

/// When to retry a version whose failure has a cause outside of it. `None` if no live version serves meanwhile.
fn outside(situation: &Situation<'_>, rollout: &Rollout, version: &str) -> Option<Outside> {
    let returns = situation.project.returns()
        && previous(situation.ledger, situation.observed, Some(version)).is_some();
    let at = rollout.deadline_at.filter(|_| rollout.outside && rollout.hopeless.is_none() && returns)?;
    let before = situation.ledger.state(version).outside.map_or(0, |outside| outside.count);
    Some(Outside { count: before + 1, at })
}

/// Retries, with backoff, a version that failed for a cause outside of it, while another version serves with
/// all its pods: a trial takes none of them away.
pub(super) fn retry_after_fault(situation: &Situation<'_>) -> Option<Step> {
    let (rollout, in_place) = judged(situation).filter(|(rollout, _)| rollout.available)?;
    let target = situation.target.version.as_deref().filter(|target| *target != in_place)?;
    let at = situation.ledger.state(target).retry_at(situation.observed.retry_base)?;
    let started = situation.initialized(target);
    let serves = situation.ledger.state(in_place);
    let at_rest = serves.live.is_some() && !serves.restarting() && rollout.stamp == serves.good_restart;
    let can = started && situation.startable(target) && situation.project.trial_takes_nothing();
    if !at_rest || !can || situation.observed.now < at {
        return None;
    }
    let mut ledger = situation.ledger.clone();
    let life = ledger.versions.entry(target.to_owned()).or_default();
    life.failed = None;
    let count = life.outside.as_ref().map_or(0, |outside| outside.count);
    life.restart = Some(stamp(&format!("again {count} after {:?}", life.restart)));
    situation.note(ledger)
}
