//! Rows 2 to 5: requests. A request is marked seen in the same write as its effect, a refused one too, with what to
//! type instead.

use crate::crd::annotations::{Verb, argument};
use crate::memory::ledger::{Answer, Attempts, Failure, Hold, Ledger, Lookup};
use crate::memory::record::TriggerKind;
use crate::version::{short, text_digest};

use super::super::target::{Pin, forbidden, previous};
use super::memory::choices;
use super::{Situation, Step};
use crate::protocol::target::BuildOf;

/// Row 2: end the build that is named.
pub(super) fn cancel(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(Verb::Cancel)?;
    let id = argument(value);
    let ledger = situation.ledger.clone();
    let job = situation.observed.jobs.iter().find(|job| job.name == id && job.state.is_active());
    let Some(job) = job.filter(|job| super::builds::is_needed(situation, &job.of, job.attempt)) else {
        let outcome =
            format!("no wanted build {id:?} is queued or running: status.build.id names the one that is");
        return situation.note(ledger.with_handled(Verb::Cancel, value, outcome));
    };
    let failure = Failure {
        stage: "Build".to_owned(),
        reason: "Cancelled".to_owned(),
        message: format!("build {id} was cancelled"),
        log: String::new(),
    };
    let cancelled =
        |attempts: Attempts| Attempts { cancelled: true, failed: Some(failure.clone()), ..attempts };
    let mut ledger = ledger.with_handled(Verb::Cancel, value, format!("cancelled {id}"));
    match &job.of {
        BuildOf::Key(key) => {
            let attempts = cancelled(ledger.attempts(key));
            ledger.builds.insert(key.clone(), attempts);
        }
        BuildOf::Lookup(_) => {
            ledger.lookup = ledger.lookup.map(|lookup| match &lookup.answer {
                // What it was before stands, and the clock begins anew.
                Some(answer) if lookup.polls() => Lookup {
                    answer: Some(Answer { number: lookup.number, ..answer.clone() }),
                    at: job.started.or(lookup.at),
                    attempts: Attempts::default(),
                    ..lookup.clone()
                },
                _ => Lookup { attempts: cancelled(lookup.attempts.clone()), ..lookup },
            });
        }
    }
    situation.note(ledger)
}

/// Row 3: lift the verdict on what is wanted, end the pause after a fault, or start the pods anew.
pub(super) fn retry(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(Verb::Retry)?;
    if situation.request(Verb::Rollback).is_some() {
        return None; // A rollback beside it decides what is tried again.
    }
    let ledger = situation.ledger.clone();
    if let Some(lookup) = situation
        .pending()
        .filter(|lookup| lookup.attempts.failed.is_some() || lookup.attempts.fault.is_some())
        .filter(|lookup| !runs(situation, &BuildOf::Lookup(lookup.number)))
    {
        let again = again(&lookup.attempts);
        let lookup = crate::memory::ledger::Lookup { attempts: again, ..lookup.clone() };
        let ledger = Ledger { lookup: Some(lookup), ..ledger };
        return situation.note(ledger.with_handled(Verb::Retry, value, "looks the source up again"));
    }
    let Some(target) = situation.target.version.as_deref() else {
        return situation.note(ledger.with_handled(
            Verb::Retry,
            value,
            "nothing has failed: nothing to try again",
        ));
    };
    if let Some(why) = forbidden(situation.observed, target) {
        return situation.note(ledger.with_handled(Verb::Retry, value, format!("refused: {why}")));
    }
    match lifted(situation, ledger.clone(), target, value) {
        Some(mut lifted) => {
            let again = situation.trigger(Verb::Retry, TriggerKind::Retry);
            lifted.versions.entry(target.to_owned()).or_default().trigger = Some(again);
            situation.note(lifted.with_handled(Verb::Retry, value, format!("tries {} again", short(target))))
        }
        None => restart_unavailable(situation, ledger, target, value),
    }
}

fn restart_unavailable(
    situation: &Situation<'_>,
    mut ledger: Ledger,
    target: &str,
    value: &str,
) -> Option<Step> {
    let rollout =
        situation.observed.rollout.as_ref().filter(|rollout| rollout.version.as_deref() == Some(target));
    if rollout.is_some_and(|rollout| rollout.current && rollout.replicas > 0 && !rollout.available) {
        ledger.versions.entry(target.to_owned()).or_default().restart = Some(stamp(value));
        return situation.note(ledger.with_handled(
            Verb::Retry,
            value,
            format!("starts the pods of {} anew", short(target)),
        ));
    }
    situation.note(ledger.with_handled(Verb::Retry, value, "nothing has failed: nothing to try again"))
}

/// The ledger without the verdicts against `version` and its build; none where there are none.
fn lifted(situation: &Situation<'_>, mut ledger: Ledger, version: &str, value: &str) -> Option<Ledger> {
    let key = situation.key_of(version).map(str::to_owned);
    let build = key.as_deref().map(|key| ledger.attempts(key)).unwrap_or_default();
    let runs = key.as_ref().is_some_and(|key| runs(situation, &BuildOf::Key(key.clone())));
    let build_is_stuck =
        !situation.built(version) && !runs && (build.failed.is_some() || build.fault.is_some());
    if let Some(key) = key.filter(|_| build_is_stuck) {
        ledger.builds.insert(key, again(&build));
        return Some(ledger);
    }
    situation.failed(version).then(|| {
        let in_place = situation.target.in_place.as_deref() == Some(version);
        let life = ledger.versions.entry(version.to_owned()).or_default();
        life.failed = None;
        life.outside = None;
        if in_place || life.live.is_none() {
            life.restart = Some(stamp(value)); // New pods: those that failed may still be there, and their deadline.
        }
        ledger
    })
}

/// The attempt after a fault is under way: what a retry asks for is being done.
fn runs(situation: &Situation<'_>, of: &BuildOf) -> bool {
    let target = |attempt| super::builds::is_needed(situation, of, attempt);
    situation.observed.jobs.iter().any(|job| job.of == *of && job.state.is_active() && target(job.attempt))
}

fn again(attempts: &Attempts) -> Attempts {
    Attempts { attempt: attempts.attempt + 1, ..Attempts::default() }
}

/// Row 4: go back. The hold lasts until a version other than the target goes live.
pub(super) fn rollback(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(Verb::Rollback)?;
    let refuse = |outcome: String| {
        situation.note(situation.ledger.clone().with_handled(Verb::Rollback, value, outcome))
    };
    let target = match target(situation, argument(value)) {
        Ok(target) => target,
        Err(refusal) => return refuse(refusal),
    };
    let built = situation.built(&target);
    if !built && !lifts_to(situation, &target) {
        return refuse(format!(
            "refused: {} has no image. Can be had: {}",
            short(&target),
            choices(situation)
        ));
    }
    if let Some(why) = forbidden(situation.observed, &target) {
        return refuse(format!("refused: {} is not started: {why}", short(&target)));
    }
    let mut ledger = situation.ledger.clone();
    if let Some(retry) = situation.request(Verb::Retry) {
        let lift = lifted(situation, ledger.clone(), &target, retry);
        ledger = lift.unwrap_or(ledger).with_handled(
            Verb::Retry,
            retry,
            format!("tries {} again", short(&target)),
        );
    } else if situation.failed(&target) || !built && build_failed(situation, &target) {
        let again = format!(
            "annotate doce.dev/retry=\"@<new>\" beside a new doce.dev/rollback=\"{}@<new>\"",
            short(&target)
        );
        return refuse(format!("refused: {} failed before. To try it all the same, {again}", short(&target)));
    }
    let in_place = situation.target.in_place.as_deref() == Some(target.as_str());
    let already = in_place && situation.target.version.as_deref() == Some(target.as_str());
    let outcome = match () {
        () if already => format!("{} runs already", short(&target)),
        () if !built => format!("goes to {}, which is built first", short(&target)),
        () => format!("goes to {}", short(&target)),
    };
    if !already {
        let again = situation.trigger(Verb::Rollback, TriggerKind::Rollback);
        ledger.versions.entry(target.clone()).or_default().trigger = Some(again);
    }
    if situation.target.desired.as_deref() == Some(target.as_str()) {
        ledger.hold = None;
    } else if !already {
        let left = situation.target.left.clone();
        ledger.hold = left.map(|left| Hold { left, target: target.clone(), since: ledger.last_live });
        if ledger.hold.is_none() {
            return refuse(nothing_to_leave(situation));
        }
    }
    situation.note(ledger.with_handled(Verb::Rollback, value, outcome))
}

/// The hold keeps from being built what the spec asks for: a rollback to it ends the hold, and it is built.
fn lifts_to(situation: &Situation<'_>, version: &str) -> bool {
    let target = &situation.target;
    let own = target.from_spec.as_ref().is_some_and(|from_spec| from_spec.version == version);
    target.held && own && target.desired.as_deref() == Some(version)
}

fn build_failed(situation: &Situation<'_>, version: &str) -> bool {
    situation.key_of(version).is_some_and(|key| situation.ledger.attempts(key).failed.is_some())
}

/// Why the spec asks for no version that could be left.
fn nothing_to_leave(situation: &Situation<'_>) -> String {
    let (Pin::Unknown(_), Some(pin)) = (&situation.target.pin, &situation.project.pin) else {
        return format!(
            "refused: {} is not there, so there is nothing to go back from: create it and ask again, or write what shall \
             run into spec.pinnedVersion. Can be had: {}",
            situation.project.reference(),
            choices(situation)
        );
    };
    format!(
        "refused: spec.pinnedVersion v{pin} names no version, or more than one. Write another there, or none and ask again. Can be had: {}",
        choices(situation)
    )
}

fn target(situation: &Situation<'_>, argument: &str) -> Result<String, String> {
    if argument == "previous" {
        let previous = previous(situation.ledger, situation.observed, situation.target.in_place.as_deref());
        return previous.ok_or_else(|| "refused: there is no other version that served".to_owned());
    }
    let prefix = argument.trim_start_matches('v');
    let matches: Vec<&String> =
        situation.observed.records.keys().filter(|version| version.starts_with(prefix)).collect();
    match matches[..] {
        [version] if !prefix.is_empty() => Ok(version.clone()),
        _ => Err(format!(
            "refused: {argument:?} names no version, or more than one. Can be had: {}",
            choices(situation)
        )),
    }
}

/// Row 5: start the pods of the live version anew.
pub(super) fn restart(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(Verb::Restart)?;
    let mut ledger = situation.ledger.clone();
    let in_place = situation.target.in_place.as_deref();
    let can = |version: &&str| ledger.life(version).live.is_some() && situation.built(version);
    let live = in_place.filter(can).filter(|_| !situation.project.stopped());
    let outcome = match live {
        Some(version) => {
            ledger.versions.entry(version.to_owned()).or_default().restart = Some(stamp(value));
            format!("starts the pods of {} anew", short(version))
        }
        None => "refused: no version serves that could be started anew".to_owned(),
    };
    situation.note(ledger.with_handled(Verb::Restart, value, outcome))
}

/// Row 5: look at the source again.
pub(super) fn deploy(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(Verb::Deploy)?;
    let mut ledger = situation.ledger.clone();
    let outcome = match ledger.lookup.as_mut().filter(|_| looks_up(situation)) {
        Some(lookup) => {
            lookup.number += 1;
            lookup.trigger = Some(situation.trigger(Verb::Deploy, TriggerKind::Deploy));
            lookup.attempts = Attempts::default();
            format!("looks up {}", situation.project.reference())
        }
        None => format!("{} is fixed: there is nothing to look up", situation.project.reference()),
    };
    situation.note(ledger.with_handled(Verb::Deploy, value, outcome))
}

fn looks_up(situation: &Situation<'_>) -> bool {
    matches!(situation.project.origin(), crate::project::Origin::LookedUp(_))
}

/// A stamp for the pod template: short, and safe whatever a person typed.
pub(super) fn stamp(value: &str) -> String {
    text_digest(value)[..12].to_owned()
}
