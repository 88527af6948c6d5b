//! Bugs in what becomes of requests.

use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::Ledger;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::Observed;

use super::{Planting, edited, misremembered};

pub(super) const PLANTED: &[Planting] = &[
    Planting::of(
        "a refusal that is forgotten",
        forgotten_refusal,
        &["every_request_is_seen", "no_request_is_acted_on_twice"],
    ),
    Planting::of("a request that is not marked as seen", unmarked, &["it_comes_to_rest"]),
    Planting::of(
        "an earlier value that fires again when it is put back",
        only_the_last_value,
        &["no_request_is_acted_on_twice", "a_refusal_moves_nothing"],
    ),
    Planting::of(
        "an older object that meets a newer ledger and fires again",
        older_object,
        &["no_request_is_acted_on_twice", "the_memory_forgets_nothing"],
    )
    .stale(),
    Planting::of("a retry that only marks", retry_marks, &["a_retry_arrives"]),
    Planting::of(
        "a cancel that a fault lifts",
        cancel_that_ends,
        &["only_a_request_makes_a_hold_or_lifts_a_verdict"],
    ),
    Planting::of("a request that is lost beside another", one_at_a_time, &["every_request_is_seen"]),
    Planting::of(
        "a rollback that goes to the version in place",
        previous_is_in_place,
        &["a_rollback_arrives"],
    ),
    Planting::of(
        "an offer to go back to a version without a record",
        offers_what_is_gone,
        &["a_rollback_arrives", "status_offers_what_would_be_granted"],
    ),
];

/// The decision as if the project had not made this request.
fn without(verb: Verb, project: &Project, observed: &Observed) -> Option<Step> {
    let mut project = project.clone();
    project.requests.remove(&verb);
    decide(&project, observed)
}

/// The request that this step marks as seen.
fn marks(project: &Project, observed: &Observed, step: Option<&Step>, verb: Verb) -> bool {
    let (Some(Step::WriteLedger(after)), Some(value)) = (step, project.requests.get(&verb)) else {
        return false;
    };
    observed.ledger.as_ref().is_some_and(|before| before.is_new(verb, value)) && !after.is_new(verb, value)
}

fn forgotten_refusal(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let Some(Step::WriteLedger(after)) = &step else { return step };
    let refused = marks(project, observed, step.as_ref(), Verb::Rollback)
        && after.handled[&Verb::Rollback].outcome.starts_with("rejected");
    if refused { without(Verb::Rollback, project, observed) } else { step }
}

fn unmarked(project: &Project, observed: &Observed) -> Option<Step> {
    edited(decide(project, observed), |ledger| {
        ledger.handled.remove(&Verb::Restart);
    })
}

/// As it was before earlier values were remembered.
fn only_the_last_value(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.handled.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

/// As it was before the memory knew how new its object was.
fn older_object(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.object = None;
        ledger.handled.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

fn retry_marks(project: &Project, observed: &Observed) -> Option<Step> {
    let before = observed.ledger.clone().unwrap_or_default();
    let step = decide(project, observed);
    let retried = marks(project, observed, step.as_ref(), Verb::Retry);
    edited(step, |after| {
        if retried && !after.handled[&Verb::Retry].outcome.contains("source") {
            let (handled, object) = (after.handled.clone(), after.object);
            *after = Ledger { handled, object, ..before };
        }
    })
}

/// As it was: a lookup whose build meets a fault begins the attempts of its key anew, cancelled or not.
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

/// Whoever finds a restart looks at nothing else that was asked for at the same time, and says that all is seen.
fn one_at_a_time(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let several = project.requests.len() > 1 && project.requests.contains_key(&Verb::Restart);
    let seen = observed.ledger.as_ref().is_some_and(|ledger| {
        project.requests.get(&Verb::Restart).is_some_and(|value| !ledger.is_new(Verb::Restart, value))
    });
    if several && seen {
        decide(&Project { requests: std::collections::BTreeMap::new(), ..project.clone() }, observed)
    } else {
        step
    }
}

fn previous_is_in_place(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let granted = marks(project, observed, step.as_ref(), Verb::Rollback);
    let in_place = observed.rollout.as_ref().and_then(|rollout| rollout.version.clone());
    edited(step, |after| {
        if let (true, Some(hold), Some(in_place)) = (granted, after.hold.as_mut(), in_place) {
            hold.target = in_place;
        }
    })
}

/// As it was: the version that went live last is the one to go back to, whatever became of its record.
fn offers_what_is_gone(project: &Project, observed: &Observed) -> Option<Step> {
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
    let usual = project.requests.get(&Verb::Rollback).is_some_and(|value| value.starts_with("previous"));
    if gone && usual && marks(project, observed, step.as_ref(), Verb::Rollback) {
        let value = project.requests[&Verb::Rollback].clone();
        return Some(Step::WriteLedger(Box::new(ledger.with_handled(
            Verb::Rollback,
            &value,
            "rejected: it has no image",
        ))));
    }
    step
}
