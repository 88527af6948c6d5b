//! The life of a hold: made by a rollback, in force while the spec asks for what was left, inert once another version is
//! live, lifted by a rollback to what the spec asks for.

use doce_operator::crd::annotations::Verb;
use doce_operator::ledger::Hold;
use doce_operator::reconcile::decide::Step;

use super::case::{Case, v};

/// The spec asks for 2, which serves; 1 served before.
fn second() -> Case {
    Case::new(2).live(1, 1).live(2, 2).in_place(2).set(1, 0, false)
}

/// The same, gone back to 1.
fn held() -> Case {
    let hold = Hold { left: v(2), target: v(1), since: 2 };
    Case::new(2).live(2, 2).live(1, 3).in_place(1).set(2, 0, false).ledger(|ledger| ledger.hold = Some(hold))
}

#[test]
fn a_rollback_makes_a_hold_and_then_the_deployment_goes_back_without_a_build() {
    let case = second().asks(Verb::Rollback, "previous@1");
    let after = case.remembers();
    assert_eq!(after.hold, Some(Hold { left: v(2), target: v(1), since: 2 }));
    let target = case.ledger(|ledger| *ledger = after).rolls();
    assert_eq!((target.version, target.trial), (Some(v(1)), false));
}

#[test]
fn a_hold_in_force_outlives_the_annotation() {
    assert_eq!(held().step(), None);
}

#[test]
fn a_third_version_is_tried_as_usual_while_held() {
    let case = held().spec(3);
    assert!(matches!(case.step(), Some(Step::Record { .. })));
    assert_eq!(case.built(3).rolls().version, Some(v(3)));
}

#[test]
fn a_third_version_that_fails_keeps_the_hold() {
    let case = held().spec(3).failed(3);
    assert!(!matches!(case.step(), Some(Step::Roll(_))), "what was gone back to goes on");
    let mut case = held().failed(3);
    case.project.limit = 10;
    assert_eq!(case.step(), None, "the spec asks for what was left again: still held");
}

#[test]
fn a_third_version_that_is_live_makes_the_hold_inert_for_good() {
    let mut case = held().live(3, 4).in_place(3);
    case.project.limit = 10;
    assert_eq!(case.rolls().version, Some(v(2)), "the spec asks for 2 again and gets it");
}

#[test]
fn what_was_left_and_becomes_available_in_that_moment_does_not_end_the_hold() {
    let hold = Hold { left: v(2), target: v(1), since: 1 };
    let case = Case::new(2).live(1, 1).built(2).in_place(2).ledger(|ledger| ledger.hold = Some(hold));
    let after = case.remembers();
    assert_eq!(after.life(&v(2)).live, Some(2));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

#[test]
fn another_version_that_was_still_in_place_does_not_end_the_hold_either() {
    let hold = Hold { left: v(3), target: v(1), since: 1 };
    let case =
        Case::new(3).live(1, 1).recorded(3).built(2).in_place(2).ledger(|ledger| ledger.hold = Some(hold));
    let after = case.remembers();
    assert_eq!(after.life(&v(2)).live, Some(2));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

#[test]
fn twice_back_goes_forward_again() {
    let case = held().asks(Verb::Rollback, "previous@2");
    let after = case.remembers();
    assert_eq!(after.hold, None);
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(2)));
}

#[test]
fn a_rollback_to_the_held_version_says_that_it_runs_and_keeps_the_hold() {
    let case = held().asks(Verb::Rollback, &format!("v{}@2", &v(1)[..8]));
    let after = case.remembers();
    assert!(after.hold.is_some() && after.seen[&Verb::Rollback].outcome.contains("runs already"));
}

#[test]
fn a_rollback_under_a_pin_leaves_the_pin() {
    let case = second().pinned(&v(2)).asks(Verb::Rollback, "previous@1");
    assert_eq!(case.remembers().hold.unwrap().left, v(2));
}

#[test]
fn a_rollback_while_the_next_version_is_on_trial_goes_back_at_once() {
    let case = Case::serving(1).spec(2).on_trial(2).asks(Verb::Rollback, "previous@1");
    let after = case.remembers();
    assert_eq!(after.hold, Some(Hold { left: v(2), target: v(1), since: 1 }));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}
