//! Requests. One write marks a request as handled and applies its effect. A rejected request is also
//! handled; its outcome says what to type instead.

use crate::crd::annotations::{RequestKind, argument};
use crate::memory::ledger::{Answer, Attempts, Failure, Hold, Ledger, Lookup, Replaced};
use crate::memory::record::TriggerKind;
use crate::version::{short, text_digest};

use super::super::target::{Pin, forbidden, previous};
use super::memory::choices;
use super::{Situation, Step};
use crate::protocol::build_target::BuildTarget;

/// Cancel the named build.
pub(super) fn cancel(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(RequestKind::Cancel)?;
    let id = argument(value);
    let ledger = situation.ledger.clone();
    let job = situation.observed.jobs.iter().find(|job| job.name == id && job.state.is_active());
    let Some(job) = job.filter(|job| super::builds::is_needed(situation, &job.of, job.attempt)) else {
        let outcome =
            format!("no current build {id:?} is queued or running. status.build.id names the current build");
        return situation.note(ledger.with_handled(RequestKind::Cancel, value, outcome));
    };
    let failure = Failure {
        stage: "Build".to_owned(),
        reason: "Cancelled".to_owned(),
        message: format!("build {id} was cancelled"),
        log: String::new(),
    };
    let cancelled =
        |attempts: Attempts| Attempts { cancelled: true, failed: Some(failure.clone()), ..attempts };
    let mut ledger = ledger.with_handled(RequestKind::Cancel, value, format!("cancelled {id}"));
    match &job.of {
        BuildTarget::Key(key) => {
            let attempts = cancelled(ledger.attempts(key));
            ledger.builds.insert(key.clone(), attempts);
        }
        BuildTarget::Lookup(_) => {
            ledger.lookup = ledger.lookup.map(|lookup| match &lookup.answer {
                // The last answer stays, and the interval starts again.
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

/// Lift the verdict on the target, end the backoff after a fault, or restart the pods.
pub(super) fn retry(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(RequestKind::Retry)?;
    if situation.request(RequestKind::Rollback).is_some() {
        return None; // The rollback next to it decides what is retried.
    }
    let ledger = situation.ledger.clone();
    if let Some(lookup) = situation
        .pending()
        .filter(|lookup| lookup.attempts.failed.is_some() || lookup.attempts.fault.is_some())
        .filter(|lookup| !attempt_in_progress(situation, &BuildTarget::Lookup(lookup.number)))
    {
        let again = lookup.attempts.again();
        let lookup = crate::memory::ledger::Lookup { attempts: again, ..lookup.clone() };
        let ledger = Ledger { lookup: Some(lookup), ..ledger };
        return situation.note(ledger.with_handled(RequestKind::Retry, value, "looking up the source again"));
    }
    let Some(target) = situation.target.version.as_deref() else {
        return situation.note(ledger.with_handled(
            RequestKind::Retry,
            value,
            "nothing to retry: nothing has failed",
        ));
    };
    if let Some(why) = forbidden(situation.observed, target) {
        return situation.note(ledger.with_handled(RequestKind::Retry, value, format!("rejected: {why}")));
    }
    match lifted(situation, ledger.clone(), target, value) {
        Some(mut lifted) => {
            let again = situation.trigger(RequestKind::Retry, TriggerKind::Retry);
            lifted.versions.entry(target.to_owned()).or_default().trigger = Some(again);
            situation.note(lifted.with_handled(
                RequestKind::Retry,
                value,
                format!("retrying {}", short(target)),
            ))
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
            RequestKind::Retry,
            value,
            format!("restarting the pods of {}", short(target)),
        ));
    }
    situation.note(ledger.with_handled(RequestKind::Retry, value, "nothing to retry: nothing has failed"))
}

/// The ledger without the verdicts against `version` and its build; `None` if there are none.
fn lifted(situation: &Situation<'_>, mut ledger: Ledger, version: &str, value: &str) -> Option<Ledger> {
    let key = situation.key_of(version).map(str::to_owned);
    let build = key.as_deref().map(|key| ledger.attempts(key)).unwrap_or_default();
    let attempt_in_progress =
        key.as_ref().is_some_and(|key| attempt_in_progress(situation, &BuildTarget::Key(key.clone())));
    let build_is_stuck = !situation.intact(version)
        && !attempt_in_progress
        && (build.failed.is_some() || build.fault.is_some());
    let is_back = is_lost(situation, version) && !situation.rebuildable(version);
    if let Some(key) = key.clone().filter(|_| build_is_stuck && !is_back) {
        ledger.builds.insert(key, build.again());
        return Some(ledger);
    }
    if let Some(key) = key.filter(|_| is_back) {
        // A person says that the image is there again. New pods and the next look of the sweep will tell.
        let seen = build.lost.as_ref().and_then(|lost| situation.observed.listed_lost.get(lost));
        let count = build.replaced.map_or(0, |replaced| replaced.count);
        let replaced = seen.map(|at| Replaced { count, at: *at }).or(build.replaced);
        ledger.builds.insert(key, Attempts { lost: None, replaced, ..build.again() });
    }
    (situation.failed(version) || is_back).then(|| {
        let in_place = situation.target.in_place.as_deref() == Some(version);
        let life = ledger.versions.entry(version.to_owned()).or_default();
        life.failed = None;
        life.outside = None;
        if in_place || life.live.is_none() {
            life.restart = Some(stamp(value)); // New pods: the failed ones and their deadline may still exist.
        }
        ledger
    })
}

/// Whether an attempt is already in progress, so a retry has nothing to add.
fn attempt_in_progress(situation: &Situation<'_>, of: &BuildTarget) -> bool {
    let target = |attempt| super::builds::is_needed(situation, of, attempt);
    situation.observed.jobs.iter().any(|job| job.of == *of && job.state.is_active() && target(job.attempt))
}

/// Roll back. The hold lasts until a version other than its target goes live.
pub(super) fn rollback(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(RequestKind::Rollback)?;
    let refuse = |outcome: String| {
        situation.note(situation.ledger.clone().with_handled(RequestKind::Rollback, value, outcome))
    };
    let target = match target(situation, argument(value)) {
        Ok(target) => target,
        Err(refusal) => return refuse(refusal),
    };
    let is_back = is_lost(situation, &target) && !situation.rebuildable(&target);
    if let Some(refusal) =
        lost_for_good(situation, &target).filter(|_| situation.request(RequestKind::Retry).is_none())
    {
        return refuse(refusal);
    }
    let built = situation.intact(&target) || is_back;
    if !built && !lifts_to(situation, &target) && !situation.rebuildable(&target) {
        return refuse(format!(
            "rejected: {} has no image. Available versions: {}",
            short(&target),
            choices(situation)
        ));
    }
    if let Some(why) = forbidden(situation.observed, &target) {
        return refuse(format!("rejected: {} cannot start: {why}", short(&target)));
    }
    let mut ledger = situation.ledger.clone();
    if let Some(retry) = situation.request(RequestKind::Retry) {
        let lift = lifted(situation, ledger.clone(), &target, retry);
        ledger = lift.unwrap_or(ledger).with_handled(
            RequestKind::Retry,
            retry,
            format!("retrying {}", short(&target)),
        );
    } else if situation.failed(&target) || !built && build_failed(situation, &target) {
        let again = format!(
            "set doce.dev/retry=\"@<token>\" together with a new doce.dev/rollback=\"{}@<token>\"",
            short(&target)
        );
        return refuse(format!("rejected: {} failed before. To try it anyway, {again}", short(&target)));
    }
    let in_place = situation.target.in_place.as_deref() == Some(target.as_str());
    let already = in_place && situation.target.version.as_deref() == Some(target.as_str());
    let outcome = match () {
        () if already => format!("{} already runs", short(&target)),
        () if !built => format!("rolling back to {} after its build", short(&target)),
        () => format!("rolling back to {}", short(&target)),
    };
    if !already {
        let again = situation.trigger(RequestKind::Rollback, TriggerKind::Rollback);
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
    situation.note(ledger.with_handled(RequestKind::Rollback, value, outcome))
}

/// Whether a rollback to `version` ends the hold: the hold keeps the version of the spec from being built.
fn lifts_to(situation: &Situation<'_>, version: &str) -> bool {
    let target = &situation.target;
    let own = target.from_spec.as_ref().is_some_and(|from_spec| from_spec.version == version);
    target.held && own && target.desired.as_deref() == Some(version)
}

/// The image of the version is gone from its registry.
fn is_lost(situation: &Situation<'_>, version: &str) -> bool {
    situation.observed.records.get(version).is_some_and(|record| record.lost.is_some())
}

/// Why a version whose image is gone cannot be chosen; none if its image is there or can be built again.
fn lost_for_good(situation: &Situation<'_>, version: &str) -> Option<String> {
    (is_lost(situation, version) && !situation.rebuildable(version)).then(|| {
        format!(
            "rejected: the image of {0} is gone from its registry, and spec.source or spec.build has changed since. Set them back \
             to build it again. Or push the image again, and set doce.dev/retry=\"@<token>\" together with a new \
             doce.dev/rollback=\"{0}@<token>\". Available versions: {1}",
            short(version),
            choices(situation)
        )
    })
}

fn build_failed(situation: &Situation<'_>, version: &str) -> bool {
    situation.key_of(version).is_some_and(|key| situation.ledger.attempts(key).failed.is_some())
}

/// Why the spec yields no version to roll back from.
fn nothing_to_leave(situation: &Situation<'_>) -> String {
    let (Pin::Unknown(_), Some(pin)) = (&situation.target.pin, &situation.project.pin) else {
        return format!(
            "rejected: {} does not exist, so there is no version to roll back from. Create it and repeat the request, or \
             set spec.pinnedVersion to the version to run. Available versions: {}",
            situation.project.reference(),
            choices(situation)
        );
    };
    format!(
        "rejected: spec.pinnedVersion v{pin} matches no version, or more than one. Change it, or remove it and repeat the request. Available versions: {}",
        choices(situation)
    )
}

fn target(situation: &Situation<'_>, argument: &str) -> Result<String, String> {
    if argument == "previous" {
        let previous = previous(situation.ledger, situation.observed, situation.target.in_place.as_deref());
        return previous.ok_or_else(|| "rejected: there is no other version that was live".to_owned());
    }
    let prefix = argument.trim_start_matches('v');
    let matches: Vec<&String> =
        situation.observed.records.keys().filter(|version| version.starts_with(prefix)).collect();
    match matches[..] {
        [version] if !prefix.is_empty() => Ok(version.clone()),
        _ => Err(format!(
            "rejected: {argument:?} matches no version, or more than one. Available versions: {}",
            choices(situation)
        )),
    }
}

/// Restart the pods of the live version.
pub(super) fn restart(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(RequestKind::Restart)?;
    let mut ledger = situation.ledger.clone();
    let in_place = situation.target.in_place.as_deref();
    let can = |version: &&str| ledger.state(version).live.is_some() && situation.built(version);
    let live = in_place.filter(can).filter(|_| !situation.project.stopped());
    let outcome = match live {
        Some(version) => {
            ledger.versions.entry(version.to_owned()).or_default().restart = Some(stamp(value));
            format!("restarting the pods of {}", short(version))
        }
        None => "rejected: no live version is running".to_owned(),
    };
    situation.note(ledger.with_handled(RequestKind::Restart, value, outcome))
}

/// Look up the source again.
pub(super) fn deploy(situation: &Situation<'_>) -> Option<Step> {
    let value = situation.request(RequestKind::Deploy)?;
    let mut ledger = situation.ledger.clone();
    let outcome = match ledger.lookup.as_mut().filter(|_| looks_up(situation)) {
        Some(lookup) => {
            lookup.number += 1;
            lookup.trigger = Some(situation.trigger(RequestKind::Deploy, TriggerKind::Deploy));
            lookup.attempts = Attempts::default();
            format!("looking up {}", situation.project.reference())
        }
        None => format!("{} needs no lookup", situation.project.reference()),
    };
    situation.note(ledger.with_handled(RequestKind::Deploy, value, outcome))
}

fn looks_up(situation: &Situation<'_>) -> bool {
    matches!(situation.project.origin(), crate::project::DigestSource::LookedUp(_))
}

/// A restart stamp for the pod template: short, and valid whatever a person typed.
pub(super) fn stamp(value: &str) -> String {
    text_digest(value)[..12].to_owned()
}
