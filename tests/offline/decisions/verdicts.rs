//! Whether the version in place goes live, fails or is restarted.

use doce_operator::crd::spec::OnFailure;
use doce_operator::memory::ledger::Hold;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{JobState, Rollout, Trouble};
use doce_operator::reconcile::status::summarize;
use doce_operator::version::short;

use super::case::{Case, at, key, v};

#[test]
fn an_available_version_becomes_live() {
    let case = Case::serving(1).spec(2).built(2).in_place(2);
    let after = case.remembers();
    assert_eq!((after.state(&v(2)).live, after.last_live), (Some(2), 2));
}

#[test]
fn a_version_that_is_live_again_moves_to_the_top_of_the_live_order() {
    let case = Case::new(1).live(1, 1).live(2, 2).in_place(1);
    assert_eq!(case.remembers().state(&v(1)).live, Some(3));
}

#[test]
fn a_status_of_an_older_generation_is_ignored() {
    let case = Case::serving(1).spec(2).built(2).in_place(2).rollout(|rollout| rollout.current = false);
    assert_eq!(case.step(), None);
}

#[test]
fn an_edited_template_is_restored_and_not_judged() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| {
        (rollout.in_sync, rollout.deadline_over) = (false, true);
    });
    assert_eq!(case.rolls().version, Some(v(2)));
}

#[test]
fn a_version_unavailable_at_its_deadline_fails_and_the_last_good_one_returns() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| rollout.deadline_over = true);
    let after = case.remembers();
    assert_eq!(after.state(&v(2)).failed.clone().unwrap().reason, "ProgressDeadlineExceeded");
    let target = case.ledger(|ledger| *ledger = after).rolls();
    assert_eq!((target.version, target.trial), (Some(v(1)), false));
}

#[test]
fn a_hopeless_version_fails_before_its_deadline_with_the_reason_from_kubernetes() {
    let trouble = Trouble { reason: "InvalidImageName".into(), message: "no such name".into() };
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| rollout.hopeless = Some(trouble));
    assert_eq!(case.remembers().state(&v(2)).failed.clone().unwrap().reason, "InvalidImageName");
}

/// Version 2 failed once for an outside cause, when its deadline passed at 100 s; version 1 serves again.
fn failed_outside() -> Case {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| {
        (rollout.deadline_over, rollout.outside) = (true, true);
        rollout.deadline_at = Some(at(100));
    });
    let after = case.remembers();
    let outside = after.state(&v(2)).outside.unwrap();
    assert_eq!((outside.count, outside.at), (1, at(100)));
    let back = case.ledger(|ledger| *ledger = after);
    assert_eq!(back.rolls().version, Some(v(1)), "the last live version returns");
    back.in_place(1)
}

#[test]
fn a_version_that_failed_for_an_outside_cause_is_retried_after_a_pause() {
    let now = |seconds: i64| {
        let mut case = failed_outside();
        case.observed.now = at(seconds);
        case
    };
    assert_eq!(now(109).step(), None);
    let again = now(110).remembers();
    let life = again.state(&v(2));
    assert!(life.failed.is_none() && life.restart.is_some(), "{life:?}");
    let target = now(110).ledger(|ledger| *ledger = again.clone()).rolls();
    assert_eq!((target.version, target.trial), (Some(v(2)), true));
    assert_eq!(life.outside.unwrap().count, 1, "the next backoff is longer");
}

#[test]
fn no_retry_while_the_live_version_is_unavailable_or_under_stay_or_with_another_target() {
    let late = |case: Case| {
        let mut case = case;
        case.observed.now = at(5000);
        case
    };
    let ill = late(failed_outside()).rollout(|rollout| rollout.available = false);
    assert_eq!(ill.step(), None);
    let mut stays = late(failed_outside());
    stays.project.rollout.on_failure = doce_operator::crd::spec::OnFailure::Stay;
    assert!(!matches!(stays.step(), Some(Step::WriteLedger(_))));
    assert_eq!(late(failed_outside()).spec(1).step(), None, "the serving version is the target again");
}

#[test]
fn a_first_version_and_one_under_stay_are_left_to_kubernetes_and_not_retried() {
    let fails = |rollout: &mut Rollout| {
        (rollout.deadline_over, rollout.outside) = (true, true);
        rollout.deadline_at = Some(at(100));
    };
    let first = Case::new(1).built(1).on_trial(1).rollout(fails);
    assert_eq!(first.remembers().state(&v(1)).outside, None);
    let mut stays = Case::serving(1).spec(2).on_trial(2).rollout(fails);
    stays.project.rollout.on_failure = doce_operator::crd::spec::OnFailure::Stay;
    assert_eq!(stays.remembers().state(&v(2)).outside, None);
}

#[test]
fn a_verdict_keeps_the_last_log_of_the_app() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| {
        rollout.deadline_over = true;
        rollout.log = "Error: no\n    at x".into();
    });
    assert_eq!(case.remembers().state(&v(2)).failed.clone().unwrap().log, "Error: no\n    at x");
}

#[test]
fn a_version_on_trial_is_not_judged_before_its_deadline() {
    assert_eq!(Case::serving(1).spec(2).on_trial(2).step(), None);
}

#[test]
fn a_failed_version_under_on_failure_stay_stays_in_place() {
    let mut case =
        Case::serving(1).spec(2).failed(2).on_trial(2).rollout(|rollout| rollout.deadline_over = true);
    case.project.rollout.on_failure = doce_operator::crd::spec::OnFailure::Stay;
    assert_eq!(case.step(), None);
}

#[test]
fn a_version_that_the_operator_returns_to_is_not_judged() {
    let case = Case::new(2).live(1, 1).failed(2).on_trial(1).rollout(|rollout| rollout.deadline_over = true);
    assert_eq!(case.step(), None);
}

#[test]
fn a_live_version_that_becomes_unhealthy_is_neither_judged_nor_replaced() {
    let case = Case::serving(1).rollout(|rollout| rollout.available = false);
    assert_eq!(case.step(), None);
}

#[test]
fn a_version_that_became_available_and_unhealthy_between_two_passes_was_live() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| rollout.completed = true);
    assert_eq!(case.remembers().state(&v(2)).live, Some(2));
}

#[test]
fn a_first_version_that_fails_stays_in_place_and_is_live_if_it_recovers() {
    let case = Case::new(1).failed(1).on_trial(1).rollout(|rollout| rollout.deadline_over = true);
    assert_eq!(case.step(), None);
    let after = case.rollout(|rollout| rollout.available = true).remembers();
    assert_eq!((after.state(&v(1)).live, after.state(&v(1)).failed.clone()), (Some(1), None));
}

#[test]
fn a_failed_version_that_recovers_beside_a_good_one_stays_failed() {
    let mut case = Case::serving(1).spec(2).failed(2).in_place(2);
    case.project.rollout.on_failure = doce_operator::crd::spec::OnFailure::Stay;
    assert!(!matches!(case.step(), Some(Step::WriteLedger(_))));
}

#[test]
fn nothing_is_judged_at_0_replicas() {
    let case = Case::serving(1).spec(2).on_trial(2).stopped().rollout(|rollout| {
        (rollout.replicas, rollout.deadline_over, rollout.completed) = (0, true, true);
    });
    assert_eq!(case.step(), None);
}

#[test]
fn an_available_restart_becomes_the_good_one() {
    let stamp = Some("stamp".to_owned());
    let case = Case::serving(1)
        .ledger(|ledger| ledger.versions.get_mut(&v(1)).unwrap().restart = Some("stamp".into()));
    let target = case.rolls();
    assert_eq!(target.stamp, stamp);
    let after = case.rollout(|rollout| rollout.stamp = Some("stamp".into())).remembers();
    assert_eq!((after.state(&v(1)).good_restart, after.state(&v(1)).live), (stamp, Some(1)));
}

#[test]
fn a_restart_unavailable_at_its_deadline_is_reverted_without_a_verdict() {
    let case = Case::serving(1)
        .ledger(|ledger| ledger.versions.get_mut(&v(1)).unwrap().restart = Some("stamp".into()))
        .rollout(|rollout| {
            rollout.stamp = Some("stamp".into());
            (rollout.available, rollout.completed, rollout.deadline_over) = (false, false, true);
        });
    let after = case.remembers();
    assert_eq!((after.state(&v(1)).restart, after.state(&v(1)).failed.clone()), (None, None));
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().stamp, None);
}

#[test]
fn a_retried_version_is_judged_only_by_its_new_pods() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| rollout.deadline_over = true);
    let case = case.ledger(|ledger| ledger.versions.entry(v(2)).or_default().restart = Some("stamp".into()));
    assert_eq!(case.rolls().stamp.as_deref(), Some("stamp"));
}

/// 1 serves, 2 is on trial, and the spec yields 3, which has no image.
fn superseded_on_trial() -> Case {
    Case::serving(1).spec(3).recorded(3).on_trial(2).job(BuildTarget::Key(key(3)), 0, JobState::Running)
}

#[test]
fn a_trial_is_judged_while_a_newer_target_has_no_image() {
    let ill = |rollout: &mut Rollout| rollout.deadline_over = true;
    let after = superseded_on_trial().rollout(ill).remembers();
    assert!(after.state(&v(2)).failed.is_some());
    let case = superseded_on_trial().rollout(ill).ledger(|ledger| *ledger = after);
    assert_eq!(case.rolls().version, Some(v(1)), "the last live version returns");
    assert_eq!(superseded_on_trial().step(), None, "it stays until its deadline");
}

#[test]
fn a_failed_version_that_stays_and_becomes_ready_late_is_not_reported_as_down() {
    let mut case = Case::serving(1).spec(2).failed(2).in_place(2);
    case.project.rollout.on_failure = OnFailure::Stay;
    let (reason, message) = ready(&case);
    assert_eq!(reason, "RolloutFailed");
    assert!(message.contains("Its pods have since become ready"), "{message}");
    assert!(!message.contains("does not run"), "{message}");
}

#[test]
fn while_a_rollback_target_starts_the_other_version_is_reported_as_serving() {
    let hold = Hold { left: v(2), target: v(1), since: 2 };
    let case = Case::new(2).live(1, 1).live(2, 2).on_trial(1).ledger(|ledger| ledger.hold = Some(hold));
    let case = case.rollout(|rollout| rollout.serving = 1);
    let status = summarize(None, &case.project, &case.observed, None);
    assert_eq!(status.version, Some(short(&v(2))));
    let history: Vec<_> =
        status.history.iter().map(|entry| (entry.version.clone(), entry.state.as_str())).collect();
    assert!(
        history.contains(&(short(&v(1)), "Live")) && history.contains(&(short(&v(2)), "Serving")),
        "{history:?}"
    );
    let (_, message) = ready(&case);
    assert!(message.ends_with(&format!("; {} keeps serving", short(&v(2)))), "{message}");

    let (reason, message) = ready(&case.rollout(|rollout| rollout.deadline_over = true));
    assert_eq!(reason, "Starting");
    assert!(message.contains(&format!("doce.dev/rollback=\"{}@", short(&v(2)))), "{message}");
}

fn ready(case: &Case) -> (String, String) {
    let status = summarize(None, &case.project, &case.observed, None);
    let ready = status.conditions.into_iter().find(|condition| condition.type_ == "Ready").unwrap();
    (ready.reason, ready.message)
}
