//! The part of the headline about a version with an image: starting, serving, held, failed, or not started at all.

use super::building::poll_fails;
use super::headline::{Headline, annotate, stays};
use super::{View, degraded, failure, init, lost_images};
use crate::crd::conditions::Reason;
use crate::crd::status::FailureStatus;
use crate::memory::ledger::VersionState;
use crate::version::short;

use super::super::facts::outside::is_reason as is_outside;
use super::super::observed::Rollout;
use super::super::target::{Pin, forbidden, initialized, previous};

/// The target has an image: is it in place, and does it serve?
pub(super) fn running(view: &View<'_>) -> Option<Headline> {
    let target = view.target.version.as_deref()?;
    if let Some(why) = forbidden(view.observed, target) {
        return Some(not_started(view, target, why));
    }
    let life = view.ledger.state(target);
    if let Some(failed) = &life.failed {
        let of_init = failed.is_of_init();
        let reason = if of_init { Reason::InitFailed } else { Reason::RolloutFailed };
        let retry = annotate(view.project, "retry", "@$(date +%s)");
        let message = if serves_all_the_same(view, target) {
            format!(
                "{} failed and stays, as spec.rollout.onFailure says: {}. Its pods have since become ready. Retry: {retry}",
                short(target),
                failed.message
            )
        } else {
            let printed = if of_init { init::printed(view, target) } else { String::new() };
            let why = format!("{}{printed}", failed.message);
            let room = degraded::no_room(view, &failed.reason);
            let stays = format!("{}{room}", stays(view));
            let tries = view.project.trial_takes_nothing() || of_init;
            let again = life.retry_at(view.observed.retry_base).filter(|_| tries);
            let again = again.map(|at| at.strftime("%H:%M:%S UTC").to_string());
            if let Some(at) = again {
                let message = format!(
                    "{} does not run: {why}{stays}. The cause is outside the version, so the operator retries at {at}. \
                     Retry now: {retry}",
                    short(target)
                );
                return Some(Headline {
                    failure: Some(failure(Some(target), failed)),
                    ..Headline::working(reason, message)
                });
            }
            format!("{} does not run: {why}{stays}. {}: {retry}", short(target), way_out(&failed.reason))
        };
        return Some(Headline {
            failure: Some(failure(Some(target), failed)),
            ..Headline::stalled(reason, message)
        });
    }
    if !initialized(view.ledger, view.observed, target) {
        return Some(init::headline(view, target));
    }
    let rollout = view.observed.rollout.as_ref();
    let in_place = rollout.filter(|rollout| rollout.version.as_deref() == Some(target));
    let trouble = in_place
        .and_then(|rollout| rollout.trouble.as_ref())
        .map(|trouble| format!(" ({}: {})", trouble.reason, trouble.message))
        .unwrap_or_default();
    Some(match in_place {
        Some(rollout)
            if rollout.current && rollout.available && life.live.is_some() && !life.restarting() =>
        {
            serving(view, target)
        }
        Some(rollout) if goes_on(view, rollout, &life) => serving(view, target),
        Some(_) if life.restarting() && life.live.is_some() => Headline::working(
            Reason::Restarting,
            format!("The pods of {} are restarting{trouble}", short(target)),
        ),
        Some(rollout)
            if life.live == Some(view.ledger.last_live)
                && !life.restarting()
                && degraded::is_about(rollout) =>
        {
            degraded::degraded(view, rollout, target, &trouble)
        }
        _ => Headline::working(
            Reason::Starting,
            format!(
                "{} is starting{trouble}{}{}{}",
                short(target),
                stays(view),
                way_back(view, target),
                degraded::room(view, in_place)
            ),
        ),
    })
}

/// What to do next. A push does not fix a full node.
fn way_out(reason: &str) -> &'static str {
    match reason {
        _ if is_outside(reason) => "The source needs no change. Fix the cause, then retry",
        "NotReady" | "NotListening" | "InvalidImageName" | "DeadlineExceeded" => "Fix that, or retry",
        _ => "Push a fix, or retry",
    }
}

/// The version has a verdict and is Available: it stayed in place, and its pods became ready too late.
fn serves_all_the_same(view: &View<'_>, version: &str) -> bool {
    let rollout = view.observed.rollout.as_ref();
    rollout.is_some_and(|rollout| {
        rollout.version.as_deref() == Some(version) && rollout.current && rollout.available
    })
}

/// A version that was live before is not judged after a rollback. If it does not start, a person has to choose.
fn way_back(view: &View<'_>, target: &str) -> String {
    let late = view.observed.rollout.as_ref().is_some_and(|rollout| {
        rollout.version.as_deref() == Some(target) && (rollout.deadline_over || rollout.hopeless.is_some())
    });
    if !late || view.ledger.state(target).live.is_none() {
        return String::new();
    }
    let Some(other) = previous(view.ledger, view.observed, Some(target)) else { return String::new() };
    let command = annotate(view.project, "rollback", &format!("{}@$(date +%s)", short(&other)));
    format!(
        ". It was live before, so the operator does not judge it. Roll back to {}: {command}",
        short(&other)
    )
}

/// The version itself forbids its image to run. Nothing was started, and a retry would not help.
fn not_started(view: &View<'_>, target: &str, why: &str) -> Headline {
    let failure = FailureStatus {
        version: Some(short(target)),
        stage: "Rollout".into(),
        reason: Reason::ImageRunsAsRoot.name().into(),
        message: why.to_owned(),
        log: String::new(),
    };
    let message = format!("{} is not started: {why}{}", short(target), stays(view));
    Headline { failure: Some(failure), ..Headline::stalled(Reason::ImageRunsAsRoot, message) }
}

/// Kubernetes has not observed the latest edit yet, and the edit does not affect the version that serves, such as an
/// annotation of another writer. The version still counts as serving.
fn goes_on(view: &View<'_>, rollout: &Rollout, life: &VersionState) -> bool {
    let whole =
        rollout.replicas > 0 && rollout.serving == rollout.replicas && rollout.pods == rollout.replicas;
    !rollout.current
        && rollout.in_sync
        && whole
        && life.live == Some(view.ledger.last_live)
        && !life.restarting()
}

fn serving(view: &View<'_>, target: &str) -> Headline {
    let lost = lost_images::note(view, target);
    if view.target.held {
        let message = format!("Rolled back to {}. {}{lost}", short(target), waits(view));
        return Headline::ready(Reason::Held, message);
    }
    if let Pin::Known(_) = view.target.pin {
        return Headline::ready(
            Reason::Pinned,
            format!(
                "{} serves, pinned by spec.pinnedVersion. The operator ignores spec.source and spec.run while it is set{lost}",
                short(target)
            ),
        );
    }
    let poll = poll_fails(view).unwrap_or_default();
    let message = format!("{} serves{}{lost}{poll}", short(target), as_root(view, target));
    Headline::ready(Reason::Serving, message)
}

/// Why the version that the spec yields does not run: a rollback holds.
fn waits(view: &View<'_>) -> String {
    let tried = "A version newer than that rolls out as usual and ends the hold";
    let Some(desired) = view.target.desired.as_deref().map(short) else {
        return format!(
            "`{}` is being resolved and will not be deployed while the rollback holds. {tried}",
            view.project.reference()
        );
    };
    let forward = annotate(view.project, "rollback", &format!("{desired}@$(date +%s)"));
    format!(
        "{desired}, which the spec yields, will not be deployed while the rollback holds. {tried}. \
         Deploy {desired} now: {forward}"
    )
}

/// A warning if the pods run as root and the spec does not say that they should.
fn as_root(view: &View<'_>, target: &str) -> &'static str {
    let record = view.observed.records.get(target);
    let unasked = record.is_some_and(|record| record.user() == Some(0) && record.facts.security.is_auto());
    if unasked {
        ". Its image runs as root, so its pods meet Pod Security \"baseline\" and not \"restricted\". Add USER with a number \
         above 0 to its Dockerfile, or set spec.run.security: Baseline to accept that"
    } else {
        ""
    }
}
