//! The life of a hold: made by a rollback, in force while the spec asks for what was left, inert once another version is
//! live, lifted by a rollback to what the spec asks for.

use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::{Attempts, Failure, Hold, Lookup};
use doce_operator::project::Origin;
use doce_operator::protocol::report::{Built, Stage};
use doce_operator::protocol::target::BuildOf;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::JobState;
use doce_operator::reconcile::status::summarize;
use doce_operator::version::short;

use super::case::{Case, commit, failed, key, v};

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
    assert!(matches!(case.step(), Some(Step::CreateRecord { .. })));
    assert_eq!(case.built(3).rolls().version, Some(v(3)));
}

#[test]
fn a_third_version_that_fails_keeps_the_hold() {
    let case = held().spec(3).failed(3);
    assert!(!matches!(case.step(), Some(Step::ApplyDeployment(_))), "what was gone back to goes on");
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
    assert_eq!(after.state(&v(2)).live, Some(2));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().version, Some(v(1)));
}

#[test]
fn another_version_that_was_still_in_place_does_not_end_the_hold_either() {
    let hold = Hold { left: v(3), target: v(1), since: 1 };
    let case =
        Case::new(3).live(1, 1).recorded(3).built(2).in_place(2).ledger(|ledger| ledger.hold = Some(hold));
    let after = case.remembers();
    assert_eq!(after.state(&v(2)).live, Some(2));
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
    assert!(after.hold.is_some() && after.handled[&Verb::Rollback].outcome.contains("already runs"));
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

/// The spec asks for 3, which has no image; 2 served last and is gone back from, 1 serves.
fn held_before_the_build() -> Case {
    let hold = Hold { left: v(3), target: v(1), since: 3 };
    Case::new(3).live(2, 2).live(1, 3).in_place(1).recorded(3).ledger(|ledger| ledger.hold = Some(hold))
}

fn forward(number: u8) -> String {
    format!("{}@2", short(&v(number)))
}

#[test]
fn a_rollback_to_what_the_hold_kept_from_being_built_lifts_it_and_it_is_built() {
    let case = held_before_the_build().asks(Verb::Rollback, &forward(3));
    let after = case.remembers();
    assert_eq!(after.hold, None);
    assert!(after.handled[&Verb::Rollback].outcome.contains("built first"), "{:?}", after.handled);
    let next = case.ledger(|ledger| *ledger = after).step();
    assert!(
        matches!(&next, Some(Step::CreateBuildJob { of: BuildOf::Key(of), .. }) if *of == key(3)),
        "{next:?}"
    );
}

#[test]
fn a_rollback_to_what_could_not_be_built_needs_a_retry_beside_it() {
    let attempts = Attempts { failed: Some(Failure::default()), ..Attempts::default() };
    let stuck = |ledger: &mut doce_operator::memory::ledger::Ledger| {
        ledger.builds.insert(key(3), attempts.clone());
    };
    let case = held_before_the_build().ledger(stuck).asks(Verb::Rollback, &forward(3));
    let says = case.says(Verb::Rollback);
    assert!(says.starts_with("rejected") && says.contains("doce.dev/retry"), "{says}");
    let after = case.asks(Verb::Retry, "@2").remembers();
    assert_eq!((after.hold, after.builds[&key(3)].failed.clone()), (None, None));
}

/// 2 serves and 1 served before; the branch has just been written into the spec.
fn looked_up_for_the_first_time() -> (Case, String) {
    let case = Case::branch().live(1, 1).live(2, 2).in_place(2).set(1, 0, false);
    let Origin::LookedUp(of) = case.project.origin() else { panic!("a branch is looked up") };
    let lookup = Lookup { of: of.clone(), number: 1, ..Lookup::default() };
    (case.ledger(|ledger| ledger.lookup = Some(lookup)).job(BuildOf::Lookup(1), 0, JobState::Running), of)
}

#[test]
fn a_rollback_while_a_branch_is_looked_up_for_the_first_time_goes_back_at_once() {
    let (case, of) = looked_up_for_the_first_time();
    let after = case.asks(Verb::Rollback, "previous@1").remembers();
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
fn a_rollback_that_left_a_lookup_leaves_what_it_turned_out_to_be_and_nothing_newer() {
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
        case.ledger(|ledger| ledger.hold = Some(hold)).job(BuildOf::Lookup(1), 0, state).remembers()
    };
    for failure in [false, true] {
        assert_eq!(answers(failure).hold, Some(Hold { left: v(3), target: v(1), since: 2 }), "{failure}");
    }
}
