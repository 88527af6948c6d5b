//! Bugs on purpose: each is the real decision with one thing done wrong, and an oracle must object to it. None of them
//! is ever reachable from the product.

use doce_operator::crd::annotations::Verb;
use doce_operator::ledger::{Failure, Ledger};
use doce_operator::project::Project;
use doce_operator::reconcile::asked::asked;
use doce_operator::reconcile::decide::{Step, Target, decide};
use doce_operator::reconcile::world::World;

use super::life::{Pace, search};
use super::play::{Decide, Fate};

/// Some life must make an oracle object, and one of those that are meant.
fn is_caught(bug: Decide, by: &[&str]) {
    for (pace, fate) in
        [(Pace::Calm, Fate::Smooth), (Pace::Hasty, Fate::Crashes), (Pace::Hasty, Fate::StaleReads)]
    {
        if let Err(found) = search(pace, fate, bug, 400, 7, 0) {
            assert!(by.contains(&found.oracle), "{} objects, not {by:?}\n{}", found.oracle, found.story);
            return;
        }
    }
    panic!("no oracle objects: {by:?} should have");
}

/// The decision as if the project had not made this request.
fn without(verb: Verb, project: &Project, world: &World) -> Option<Step> {
    let mut project = project.clone();
    project.requests.remove(&verb);
    decide(&project, world)
}

fn edited(step: Option<Step>, edit: impl FnOnce(&mut Ledger)) -> Option<Step> {
    match step {
        Some(Step::Ledger(mut ledger)) => {
            edit(&mut ledger);
            Some(Step::Ledger(ledger))
        }
        other => other,
    }
}

#[test]
fn planted_a_refusal_that_is_forgotten_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let step = decide(project, world);
        let Some(Step::Ledger(after)) = &step else { return step };
        let before = world.ledger.clone().unwrap_or_default();
        let value = project.requests.get(&Verb::Rollback);
        let refused = value.is_some_and(|value| {
            before.is_new(Verb::Rollback, value) && !after.is_new(Verb::Rollback, value)
        }) && after.seen[&Verb::Rollback].outcome.starts_with("refused");
        if refused { without(Verb::Rollback, project, world) } else { step }
    }
    is_caught(bug, &["every_request_is_seen", "no_request_is_acted_on_twice"]);
}

#[test]
fn planted_a_return_that_is_judged_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let ledger = world.ledger.clone().unwrap_or_default();
        let rollout = world.rollout.clone().unwrap_or_default();
        let version = rollout.version.clone().filter(|version| {
            let back = asked(project, world).wanted.as_ref() != Some(version);
            back && rollout.current
                && rollout.replicas > 0
                && !rollout.available
                && ledger.life(version).failed.is_none()
        });
        let Some(version) = version.filter(|_| rollout.deadline_over || rollout.hopeless.is_some()) else {
            return decide(project, world);
        };
        let mut ledger = ledger;
        ledger.versions.entry(version).or_default().failed = Some(Failure::default());
        Some(Step::Ledger(Box::new(ledger)))
    }
    is_caught(bug, &["a_return_is_never_judged"]);
}

#[test]
fn planted_pruning_by_age_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        match decide(project, world) {
            Some(Step::ForgetRecord { .. }) => {
                let oldest = world.records.values().min_by_key(|record| record.created)?;
                Some(Step::ForgetRecord { version: oldest.facts.version.clone() })
            }
            step => step,
        }
    }
    is_caught(bug, &["what_one_would_go_back_to_is_kept"]);
}

#[test]
fn planted_a_verdict_that_is_forgotten_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let mut forgetful = world.clone();
        for life in forgetful.ledger.iter_mut().flat_map(|ledger| ledger.versions.values_mut()) {
            life.failed = None;
        }
        decide(project, &forgetful)
    }
    is_caught(
        bug,
        &["it_comes_to_rest", "only_a_request_makes_a_hold_or_lifts_a_verdict", "a_return_is_never_judged"],
    );
}

#[test]
fn planted_a_hold_that_is_not_remembered_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        edited(decide(project, world), |ledger| ledger.hold = None)
    }
    is_caught(bug, &["a_rollback_arrives"]);
}

#[test]
fn planted_a_request_that_is_not_marked_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        edited(decide(project, world), |ledger| {
            ledger.seen.remove(&Verb::Restart);
        })
    }
    is_caught(bug, &["it_comes_to_rest"]);
}

#[test]
fn planted_a_retry_that_only_marks_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let before = world.ledger.clone().unwrap_or_default();
        edited(decide(project, world), |after| {
            let retried =
                after.seen.get(&Verb::Retry).is_some_and(|seen| before.is_new(Verb::Retry, &seen.value));
            if retried && !after.seen[&Verb::Retry].outcome.contains("source") {
                let seen = after.seen.clone();
                *after = Ledger { seen, ..before };
            }
        })
    }
    is_caught(bug, &["a_retry_arrives"]);
}

#[test]
fn planted_a_verdict_before_the_deadline_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let mut hasty = world.clone();
        if let Some(rollout) = &mut hasty.rollout {
            rollout.deadline_over = rollout.current && !rollout.available;
        }
        decide(project, &hasty)
    }
    is_caught(bug, &["a_return_is_never_judged"]);
}

#[test]
fn planted_a_version_that_is_live_before_it_is_ready_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let mut rosy = world.clone();
        if let Some(rollout) = &mut rosy.rollout {
            rollout.available = rollout.replicas > 0;
        }
        decide(project, &rosy)
    }
    is_caught(bug, &["live_is_only_what_was_ready"]);
}

#[test]
fn planted_a_failed_version_that_is_kept_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        match decide(project, world) {
            Some(Step::ForgetSet { .. }) => None,
            step => step,
        }
    }
    is_caught(bug, &["at_most_two_sets_and_the_other_is_usable"]);
}

#[test]
fn planted_a_set_that_one_would_go_back_to_and_is_deleted_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let idle = || world.sets.iter().find(|set| set.pods == 0 && !set.current && !project.stopped());
        decide(project, world).or_else(|| idle().map(|set| Step::ForgetSet { name: set.name.clone() }))
    }
    is_caught(bug, &["what_one_would_go_back_to_is_kept"]);
}

#[test]
fn planted_a_port_that_is_not_remembered_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        match decide(project, world) {
            Some(Step::Serve { .. }) => Some(Step::Serve { port: None }),
            step => step,
        }
    }
    is_caught(bug, &["the_port_never_changes"]);
}

#[test]
fn planted_a_stop_that_changes_the_template_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        match decide(project, world) {
            Some(Step::Roll(Target { version: None, stamp, replicas, trial })) => {
                let built = |version: &String| {
                    world.records.get(version).is_some_and(|record| record.image.is_some())
                };
                let version = asked(project, world).wanted.filter(built);
                Some(Step::Roll(Target { version, stamp, replicas, trial }))
            }
            step => step,
        }
    }
    is_caught(bug, &["a_stopped_project_is_left_as_it_is", "it_comes_to_rest"]);
}

#[test]
fn planted_a_failed_version_that_nobody_leaves_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let mut stays = project.clone();
        stays.rollout.on_failure = doce_operator::crd::spec::OnFailure::Stay;
        decide(&stays, world)
    }
    is_caught(bug, &["what_failed_is_left"]);
}

#[test]
fn planted_a_restart_that_is_not_taken_back_is_caught() {
    fn bug(project: &Project, world: &World) -> Option<Step> {
        let before = world.ledger.clone().unwrap_or_default();
        let step = decide(project, world);
        let Some(Step::Ledger(after)) = &step else { return step };
        let taken_back = after.versions.iter().any(|(version, life)| {
            before.life(version).restarting()
                && life.restart == life.good
                && life.good == before.life(version).good
        });
        if taken_back { None } else { step }
    }
    is_caught(bug, &["a_restart_is_over", "what_failed_is_left"]);
}
