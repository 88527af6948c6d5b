//! The life of a hold: a rollback makes it. It is in force while the spec yields the version that was left. It ends
//! when another version goes live, or with a rollback to the version that the spec yields.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Attempts, Failure, Hold, Lookup};
use doce_operator::project::DigestSource;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::report::{Built, Stage};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::JobState;
use doce_operator::reconcile::status::summarize;
use doce_operator::version::short;

use super::case::{Case, commit, failed, key, v};

/// The spec yields 2, which serves; 1 served before.
fn second() -> Case {
    Case::new(2).live(1, 1).live(2, 2).in_place(2).set(1, 0, false)
}

/// The same after a rollback to 1.
fn held() -> Case {
    let hold = Hold { left: v(2), target: v(1), since: 2 };
    Case::new(2).live(2, 2).live(1, 3).in_place(1).set(2, 0, false).ledger(|ledger| ledger.hold = Some(hold))
}

#[test]
fn a_rollback_makes_a_hold_and_rolls_back_without_a_build() {
    let case = second().asks(RequestKind::Rollback, "previous@1");
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
fn a_third_version_goes_on_trial_as_usual_while_held() {
    let case = held().spec(3);
    assert!(matches!(case.step(), Some(Step::CreateRecord { .. })));
    assert_eq!(case.built(3).rolls().version, Some(v(3)));
}

#[test]
fn a_third_version_that_fails_keeps_the_hold() {
    let case = held().spec(3).failed(3);
    assert!(!matches!(case.step(), Some(Step::ApplyDeployment(_))), "the hold's target keeps running");
    let mut case = held().failed(3);
    case.project.limit = 10;
    assert_eq!(case.step(), None, "the spec yields the left version again: still held");
}

#[test]
fn a_third_version_that_goes_live_ends_the_hold_for_good() {
    let mut case = held().live(3, 4).in_place(3);
    case.project.limit = 10;
    assert_eq!(case.rolls().version, Some(v(2)), "the spec yields 2 again, and 2 runs");
}

#[test]
fn the_left_version_does_not_end_the_hold_by_becoming_available() {
    let hold = Hold { left: v(2), target: v(1), since: 1 };
    let case = Case::new(2).live(1, 1).built(2).in_place(2).ledger(|ledger| ledger.hold = Some(hold));
    let after = case.remembers();
    assert_eq!(after.state(&v(2)).live, Some(2));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

#[test]
fn another_version_still_in_place_does_not_end_the_hold() {
    let hold = Hold { left: v(3), target: v(1), since: 1 };
    let case =
        Case::new(3).live(1, 1).recorded(3).built(2).in_place(2).ledger(|ledger| ledger.hold = Some(hold));
    let after = case.remembers();
    assert_eq!(after.state(&v(2)).live, Some(2));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

#[test]
fn rolling_back_twice_rolls_forward_again() {
    let case = held().asks(RequestKind::Rollback, "previous@2");
    let after = case.remembers();
    assert_eq!(after.hold, None);
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(2)));
}

#[test]
fn a_rollback_to_the_held_version_says_that_it_runs_and_keeps_the_hold() {
    let case = held().asks(RequestKind::Rollback, &format!("v{}@2", &v(1)[..8]));
    let after = case.remembers();
    assert!(after.hold.is_some() && after.handled[&RequestKind::Rollback].outcome.contains("already runs"));
}

#[test]
fn a_rollback_under_a_pin_leaves_the_pinned_version() {
    let case = second().pinned(&v(2)).asks(RequestKind::Rollback, "previous@1");
    assert_eq!(case.remembers().hold.unwrap().left, v(2));
}

#[test]
fn a_rollback_during_a_trial_takes_effect_at_once() {
    let case = Case::serving(1).spec(2).on_trial(2).asks(RequestKind::Rollback, "previous@1");
    let after = case.remembers();
    assert_eq!(after.hold, Some(Hold { left: v(2), target: v(1), since: 1 }));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

/// The spec yields 3, which has no image. A rollback left 3 while 2 served; 1 serves now.
fn held_before_the_build() -> Case {
    let hold = Hold { left: v(3), target: v(1), since: 3 };
    Case::new(3).live(2, 2).live(1, 3).in_place(1).recorded(3).ledger(|ledger| ledger.hold = Some(hold))
}

fn forward(number: u8) -> String {
    format!("{}@2", short(&v(number)))
}

#[test]
fn a_rollback_to_an_unbuilt_left_version_ends_the_hold_and_builds_it() {
    let case = held_before_the_build().asks(RequestKind::Rollback, &forward(3));
    let after = case.remembers();
    assert_eq!(after.hold, None);
    assert!(after.handled[&RequestKind::Rollback].outcome.contains("after its build"), "{:?}", after.handled);
    let next = case.ledger(|ledger| *ledger = after).step();
    assert!(
        matches!(&next, Some(Step::CreateBuildJob { of: BuildTarget::Key(of), .. }) if *of == key(3)),
        "{next:?}"
    );
}

#[test]
fn a_rollback_to_a_version_that_failed_to_build_needs_a_retry_too() {
    let attempts = Attempts { failed: Some(Failure::default()), ..Attempts::default() };
    let stuck = |ledger: &mut doce_operator::memory::ledger::Ledger| {
        ledger.builds.insert(key(3), attempts.clone());
    };
    let case = held_before_the_build().ledger(stuck).asks(RequestKind::Rollback, &forward(3));
    let says = case.says(RequestKind::Rollback);
    assert!(says.starts_with("rejected") && says.contains("doce.dev/retry"), "{says}");
    let after = case.asks(RequestKind::Retry, "@2").remembers();
    assert_eq!((after.hold, after.builds[&key(3)].failed.clone()), (None, None));
}

/// 2 serves and 1 served before; a user has just changed the spec to a branch.
fn looked_up_for_the_first_time() -> (Case, String) {
    let case = Case::branch().live(1, 1).live(2, 2).in_place(2).set(1, 0, false);
    let DigestSource::LookedUp(of) = case.project.origin() else { panic!("a branch needs a lookup") };
    let lookup = Lookup { of: of.clone(), number: 1, ..Lookup::default() };
    (case.ledger(|ledger| ledger.lookup = Some(lookup)).job(BuildTarget::Lookup(1), 0, JobState::Running), of)
}

#[test]
fn a_rollback_during_the_first_lookup_takes_effect_at_once() {
    let (case, of) = looked_up_for_the_first_time();
    let after = case.asks(RequestKind::Rollback, "previous@1").remembers();
    assert_eq!(after.hold, Some(Hold { left: of, target: v(1), since: 2 }));
    let (case, _) = looked_up_for_the_first_time();
    assert_eq!(case.ledger(|ledger| *ledger = after.clone()).rolls().version, Some(v(1)));

    let (case, _) = looked_up_for_the_first_time();
    let case = case.live(1, 3).in_place(1).ledger(|ledger| ledger.hold = after.hold);
    let status = summarize(None, &case.project, &case.observed, None);
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Held"));
    assert!(ready.message.contains("`branch main` is being resolved"), "{}", ready.message);
}

#[test]
fn a_rollback_during_a_lookup_leaves_only_the_version_that_the_lookup_yields() {
    let answers = |failure: bool| {
        let (mut case, of) = looked_up_for_the_first_time();
        case.observed.jobs.clear();
        let hold = Hold { left: of, target: v(1), since: 2 };
        let state = if failure {
            let failed = failed(Stage::Build, "BuildFailed");
            JobState::Failed(doce_operator::protocol::report::Failed {
                source: Some(commit(3)),
                key: Some(key(3)),
                ..failed
            })
        } else {
            JobState::Built(Built { source: commit(3), key: key(3), ..Built::default() })
        };
        case.ledger(|ledger| ledger.hold = Some(hold)).job(BuildTarget::Lookup(1), 0, state).remembers()
    };
    for failure in [false, true] {
        assert_eq!(answers(failure).hold, Some(Hold { left: v(3), target: v(1), since: 2 }), "{failure}");
    }
}
