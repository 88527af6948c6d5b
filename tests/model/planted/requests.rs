//! Bugs in the handling of requests.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::Ledger;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::Observed;

use super::{Planting, edited, misremembered};

pub(super) const PLANTED: &[Planting] = &[
    Planting::of(
        "a rejection that is forgotten",
        forgotten_refusal,
        &["every_request_is_handled", "no_request_is_handled_twice"],
    ),
    Planting::of("a request that is not marked as handled", lost_metadata, &["the_project_settles"]),
    Planting::of(
        "an earlier value that fires again when it is restored",
        only_the_last_value,
        &["no_request_is_handled_twice", "a_rejection_changes_nothing"],
    ),
    Planting::of(
        "an older object that fires again with a newer ledger",
        older_object,
        &["no_request_is_handled_twice", "the_ledger_forgets_nothing"],
    )
    .stale(),
    Planting::of("a retry that is only marked as handled", retry_marks, &["a_retry_takes_effect"]),
    Planting::of(
        "a cancel that ends with a fault",
        cancel_that_ends,
        &["only_a_request_makes_a_hold_or_lifts_a_verdict"],
    ),
    Planting::of(
        "a request that is lost when another comes with it",
        one_at_a_time,
        &["every_request_is_handled"],
    ),
    Planting::of(
        "a rollback that goes to the version in place",
        previous_is_in_place,
        &["a_rollback_takes_effect"],
    ),
    Planting::of(
        "an offer to roll back to a version without a record",
        offers_a_version_without_record,
        &["a_rollback_takes_effect", "status_offers_what_a_rollback_would_get"],
    ),
];

/// The decision as if the project did not have this request.
fn without(verb: RequestKind, project: &Project, observed: &Observed) -> Option<Step> {
    let mut project = project.clone();
    project.requests.remove(&verb);
    decide(&project, observed)
}

/// Whether this step marks the request as handled.
fn marks(project: &Project, observed: &Observed, step: Option<&Step>, verb: RequestKind) -> bool {
    let (Some(Step::WriteLedger(after)), Some(value)) = (step, project.requests.get(&verb)) else {
        return false;
    };
    observed.ledger.as_ref().is_some_and(|before| before.is_new(verb, value)) && !after.is_new(verb, value)
}

fn forgotten_refusal(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let Some(Step::WriteLedger(after)) = &step else { return step };
    let refused = marks(project, observed, step.as_ref(), RequestKind::Rollback)
        && after.handled[&RequestKind::Rollback].outcome.starts_with("rejected");
    if refused { without(RequestKind::Rollback, project, observed) } else { step }
}

fn lost_metadata(project: &Project, observed: &Observed) -> Option<Step> {
    edited(decide(project, observed), |ledger| {
        ledger.handled.remove(&RequestKind::Restart);
    })
}

/// A former bug: the ledger stored only the last value.
fn only_the_last_value(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.handled.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

/// A former bug: the ledger did not store the resourceVersion of its object.
fn older_object(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.object = None;
        ledger.handled.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

fn retry_marks(project: &Project, observed: &Observed) -> Option<Step> {
    let before = observed.ledger.clone().unwrap_or_default();
    let step = decide(project, observed);
    let retried = marks(project, observed, step.as_ref(), RequestKind::Retry);
    edited(step, |after| {
        if retried && !after.handled[&RequestKind::Retry].outcome.contains("source") {
            let (handled, object) = (after.handled.clone(), after.object);
            *after = Ledger { handled, object, ..before };
        }
    })
}

/// A former bug: a lookup whose build has a fault resets the attempts of its key, even if they are cancelled.
fn cancel_that_ends(project: &Project, observed: &Observed) -> Option<Step> {
    let before = observed.ledger.clone().unwrap_or_default();
    let step = decide(project, observed);
    let answered = |ledger: &Ledger| ledger.lookup.as_ref().and_then(|lookup| lookup.answer.clone());
    edited(step, |after| {
        if answered(after) != answered(&before) {
            after.builds.values_mut().filter(|attempts| attempts.cancelled).for_each(|attempts| {
                attempts.cancelled = false;
                attempts.failed = None;
            });
        }
    })
}

/// With a restart request, the other requests of the same time are ignored but marked as handled.
fn one_at_a_time(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let several = project.requests.len() > 1 && project.requests.contains_key(&RequestKind::Restart);
    let seen = observed.ledger.as_ref().is_some_and(|ledger| {
        project
            .requests
            .get(&RequestKind::Restart)
            .is_some_and(|value| !ledger.is_new(RequestKind::Restart, value))
    });
    if several && seen {
        decide(&Project { requests: std::collections::BTreeMap::new(), ..project.clone() }, observed)
    } else {
        step
    }
}

fn previous_is_in_place(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let granted = marks(project, observed, step.as_ref(), RequestKind::Rollback);
    let in_place = observed.rollout.as_ref().and_then(|rollout| rollout.version.clone());
    edited(step, |after| {
        if let (true, Some(hold), Some(in_place)) = (granted, after.hold.as_mut(), in_place) {
            hold.target = in_place;
        }
    })
}

/// A former bug: the rollback target is the version that went live last, even without a record.
fn offers_a_version_without_record(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let ledger = observed.ledger.clone().unwrap_or_default();
    let in_place = observed.rollout.as_ref().and_then(|rollout| rollout.version.clone());
    let others = ledger
        .versions
        .iter()
        .filter(|(version, life)| Some(*version) != in_place.as_ref() && life.failed.is_none());
    let newest =
        others.filter_map(|(version, life)| Some((life.live?, version))).max().map(|(_, version)| version);
    let gone = newest
        .is_some_and(|version| observed.records.get(version).is_none_or(|record| record.image.is_none()));
    let usual =
        project.requests.get(&RequestKind::Rollback).is_some_and(|value| value.starts_with("previous"));
    if gone && usual && marks(project, observed, step.as_ref(), RequestKind::Rollback) {
        let value = project.requests[&RequestKind::Rollback].clone();
        return Some(Step::WriteLedger(Box::new(ledger.with_handled(
            RequestKind::Rollback,
            &value,
            "rejected: it has no image",
        ))));
    }
    step
}
