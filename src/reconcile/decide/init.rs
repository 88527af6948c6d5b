//! Init commands: the command of each version succeeds once before its pods start. The ledger records a run before its
//! Job is created, so no two ever run at once. A run always continues to its end, even if its version is no longer the
//! target: nothing may interrupt a migration.

use crate::crd::conditions::MAX_MESSAGE;
use crate::memory::ledger::{Failure, InitRun, Ledger, Outside};
use crate::text::bounded;

use super::super::observed::Child;
use super::super::observed::init::{InitFailure, InitJob, InitState};
use super::{Situation, Step};

/// The open run ended, or can never run.
pub(super) fn ended(situation: &Situation<'_>) -> Option<Step> {
    let run = open(situation)?;
    let mut ledger =
        Ledger { init: Some(InitRun { ended: true, ..run.clone() }), ..situation.ledger.clone() };
    let Some(job) = job(situation, run) else {
        return is_over(situation, run).then(|| situation.note(ledger)).flatten();
    };
    let life = match &job.state {
        InitState::Running | InitState::Ending => return None,
        _ if !situation.observed.records.contains_key(&run.version) => return situation.note(ledger),
        _ => ledger.versions.entry(run.version.clone()).or_default(),
    };
    if let InitState::Failed(failure) = &job.state {
        let count = life.outside.as_ref().map_or(0, |outside| outside.count) + 1;
        life.failed = Some(failed(failure));
        life.outside = failure.outside.then_some(Outside { count, at: failure.at });
    } else {
        life.initialized = true;
        life.outside = None;
    }
    situation.note(ledger)
}

/// The Job of the open run, or the next run.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    if situation.project.stopped() || situation.observed.refused(Child::Init) {
        return None;
    }
    if let Some(run) = open(situation) {
        let missing = job(situation, run).is_none();
        return missing.then(|| Step::CreateInitJob { version: run.version.clone(), number: run.number });
    }
    let target = situation.target.version.as_deref()?;
    let can = situation.startable(target) && !situation.failed(target) && !situation.initialized(target);
    // A new ledger, after a loss, knows nothing of runs that still exist.
    if !can || situation.observed.inits.iter().any(|job| job.is_active() && job.version != target) {
        return None;
    }
    let numbers = || situation.observed.inits.iter().map(|job| job.number).max();
    let number = match &situation.ledger.init {
        Some(last) => last.number.max(numbers().unwrap_or(0)) + 1,
        None => newest_run_of(situation, target).unwrap_or_else(|| numbers().unwrap_or(0) + 1),
    };
    let run = InitRun { number, version: target.to_owned(), ended: false };
    situation.note(Ledger { init: Some(run), ..situation.ledger.clone() })
}

/// The newest run of this version that a lost ledger had started.
fn newest_run_of(situation: &Situation<'_>, version: &str) -> Option<u64> {
    let of_version = situation.observed.inits.iter().filter(|job| job.version == version);
    of_version.map(|job| job.number).max()
}

/// The run that started and whose end is not known.
pub(super) fn open<'a>(situation: &'a Situation<'_>) -> Option<&'a InitRun> {
    situation.ledger.init.as_ref().filter(|run| !run.ended)
}

fn job<'a>(situation: &'a Situation<'_>, run: &InitRun) -> Option<&'a InitJob> {
    situation.observed.inits.iter().find(|job| job.number == run.number && job.version == run.version)
}

/// For a run without a Job: whether it will never have one. Its record or image is gone, or it is no longer the target
/// and the API server rejects the Job.
fn is_over(situation: &Situation<'_>, run: &InitRun) -> bool {
    let target = situation.target.version.as_ref() == Some(&run.version);
    !situation.built(&run.version) || !target && situation.observed.refused(Child::Init)
}

fn failed(failure: &InitFailure) -> Failure {
    Failure {
        stage: Failure::INIT.to_owned(),
        reason: failure.trouble.reason.clone(),
        message: bounded(&failure.trouble.message, MAX_MESSAGE),
        log: failure.log.clone(),
    }
}

/// If an init command failed for a cause outside of its version, such as an unreachable database, it runs again
/// with backoff. It takes no pod from the live version, so this needs no live version.
pub(super) fn retry_after_fault(situation: &Situation<'_>) -> Option<Step> {
    let target = situation.target.version.as_deref().filter(|_| !situation.project.stopped())?;
    let at = situation.ledger.state(target).retry_at(situation.observed.retry_base)?;
    if situation.initialized(target) || !situation.startable(target) || situation.observed.now < at {
        return None;
    }
    let mut ledger = situation.ledger.clone();
    ledger.versions.entry(target.to_owned()).or_default().failed = None;
    situation.note(ledger)
}
