//! Bugs in what becomes of requests.

use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::Ledger;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::World;

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
fn without(verb: Verb, project: &Project, world: &World) -> Option<Step> {
    let mut project = project.clone();
    project.requests.remove(&verb);
    decide(&project, world)
}

/// The request that this step marks as seen.
fn marks(project: &Project, world: &World, step: Option<&Step>, verb: Verb) -> bool {
    let (Some(Step::Ledger(after)), Some(value)) = (step, project.requests.get(&verb)) else { return false };
    world.ledger.as_ref().is_some_and(|before| before.is_new(verb, value)) && !after.is_new(verb, value)
}

fn forgotten_refusal(project: &Project, world: &World) -> Option<Step> {
    let step = decide(project, world);
    let Some(Step::Ledger(after)) = &step else { return step };
    let refused = marks(project, world, step.as_ref(), Verb::Rollback)
        && after.seen[&Verb::Rollback].outcome.starts_with("refused");
    if refused { without(Verb::Rollback, project, world) } else { step }
}

fn unmarked(project: &Project, world: &World) -> Option<Step> {
    edited(decide(project, world), |ledger| {
        ledger.seen.remove(&Verb::Restart);
    })
}

/// As it was before earlier values were remembered.
fn only_the_last_value(project: &Project, world: &World) -> Option<Step> {
    misremembered(project, world, |ledger| {
        ledger.seen.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

/// As it was before the memory knew how new its object was.
fn older_object(project: &Project, world: &World) -> Option<Step> {
    misremembered(project, world, |ledger| {
        ledger.object = None;
        ledger.seen.values_mut().for_each(|seen| seen.earlier.clear());
    })
}

fn retry_marks(project: &Project, world: &World) -> Option<Step> {
    let before = world.ledger.clone().unwrap_or_default();
    let step = decide(project, world);
    let retried = marks(project, world, step.as_ref(), Verb::Retry);
    edited(step, |after| {
        if retried && !after.seen[&Verb::Retry].outcome.contains("source") {
            let (seen, object) = (after.seen.clone(), after.object);
            *after = Ledger { seen, object, ..before };
        }
    })
}

/// As it was: a lookup whose build meets a fault begins the attempts of its key anew, cancelled or not.
fn cancel_that_ends(project: &Project, world: &World) -> Option<Step> {
    let before = world.ledger.clone().unwrap_or_default();
    let step = decide(project, world);
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
fn one_at_a_time(project: &Project, world: &World) -> Option<Step> {
    let step = decide(project, world);
    let several = project.requests.len() > 1 && project.requests.contains_key(&Verb::Restart);
    let seen = world.ledger.as_ref().is_some_and(|ledger| {
        project.requests.get(&Verb::Restart).is_some_and(|value| !ledger.is_new(Verb::Restart, value))
    });
    if several && seen {
        decide(&Project { requests: std::collections::BTreeMap::new(), ..project.clone() }, world)
    } else {
        step
    }
}

fn previous_is_in_place(project: &Project, world: &World) -> Option<Step> {
    let step = decide(project, world);
    let granted = marks(project, world, step.as_ref(), Verb::Rollback);
    let in_place = world.rollout.as_ref().and_then(|rollout| rollout.version.clone());
    edited(step, |after| {
        if let (true, Some(hold), Some(in_place)) = (granted, after.hold.as_mut(), in_place) {
            hold.target = in_place;
        }
    })
}

/// As it was: the version that went live last is the one to go back to, whatever became of its record.
fn offers_what_is_gone(project: &Project, world: &World) -> Option<Step> {
    let step = decide(project, world);
    let ledger = world.ledger.clone().unwrap_or_default();
    let in_place = world.rollout.as_ref().and_then(|rollout| rollout.version.clone());
    let others = ledger
        .versions
        .iter()
        .filter(|(version, life)| Some(*version) != in_place.as_ref() && life.failed.is_none());
    let newest =
        others.filter_map(|(version, life)| Some((life.live?, version))).max().map(|(_, version)| version);
    let gone =
        newest.is_some_and(|version| world.records.get(version).is_none_or(|record| record.image.is_none()));
    let usual = project.requests.get(&Verb::Rollback).is_some_and(|value| value.starts_with("previous"));
    if gone && usual && marks(project, world, step.as_ref(), Verb::Rollback) {
        let value = project.requests[&Verb::Rollback].clone();
        return Some(Step::Ledger(Box::new(ledger.with_seen(
            Verb::Rollback,
            &value,
            "refused: it has no image",
        ))));
    }
    step
}
