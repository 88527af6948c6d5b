//! Rows 2 to 5: what people ask for. A refusal is marked as seen and says what to type instead.

use doce_operator::crd::ProjectDeploymentStatus;
use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::{Attempts, Failure, Fault, Lookup};
use doce_operator::project::Origin;
use doce_operator::protocol::target::BuildOf;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{ConfigMap, JobState};
use doce_operator::reconcile::status::summarize;
use doce_operator::version::short;

use super::case::{Case, at, key, v};

fn building() -> Case {
    Case::serving(1).spec(2).recorded(2).job(BuildOf::Key(key(2)), 0, JobState::Running)
}

fn stuck() -> Attempts {
    Attempts { failed: Some(Failure::default()), ..Attempts::default() }
}

#[test]
fn a_cancel_ends_the_build_that_it_names_until_a_retry() {
    let case = building().asks(Verb::Cancel, "shop-build@1");
    let after = case.remembers();
    assert!(after.attempts(&key(2)).cancelled && !after.is_new(Verb::Cancel, "shop-build@1"));
    let next = case.ledger(|ledger| *ledger = after).step();
    assert!(matches!(next, Some(Step::DeleteBuildJob { .. })));
}

#[test]
fn a_cancel_of_another_build_is_seen_and_changes_nothing() {
    let after = building().asks(Verb::Cancel, "shop-other@1").remembers();
    assert_eq!(after.attempts(&key(2)), Attempts::default());
    assert!(after.handled[&Verb::Cancel].outcome.contains("status.build.id"));
}

#[test]
fn a_retry_lifts_the_verdict_on_a_build() {
    let case = Case::serving(1).spec(2).recorded(2).ledger(|ledger| {
        ledger.builds.insert(key(2), stuck());
    });
    let after = case.asks(Verb::Retry, "@1").remembers().attempts(&key(2));
    assert_eq!((after.attempt, after.failed), (1, None));
}

#[test]
fn a_retry_leaves_alone_the_attempt_after_a_fault_that_runs_already() {
    let fault = Fault { count: 1, at: at(0), failure: Failure::default() };
    let attempts = Attempts { attempt: 1, fault: Some(fault), ..Attempts::default() };
    let faulty = || {
        Case::serving(1).spec(2).recorded(2).asks(Verb::Retry, "@1").ledger(|ledger| {
            ledger.builds.insert(key(2), attempts.clone());
        })
    };
    assert_eq!(faulty().remembers().attempts(&key(2)).attempt, 2, "it ends the pause");
    let runs = faulty().job(BuildOf::Key(key(2)), 1, JobState::Running).remembers();
    assert_eq!(runs.attempts(&key(2)), attempts);
    assert!(!runs.is_new(Verb::Retry, "@1"), "it is seen");
    let mut case = Case::branch().asks(Verb::Retry, "@1");
    let Origin::LookedUp(of) = case.project.origin() else { panic!("a branch is looked up") };
    let lookup = Lookup { of, number: 1, attempts: attempts.clone(), ..Lookup::default() };
    case = case.ledger(|ledger| ledger.lookup = Some(lookup));
    assert_eq!(case.remembers().lookup.unwrap().attempts.attempt, 2);
    let runs = case.job(BuildOf::Lookup(1), 1, JobState::Running).remembers();
    assert_eq!(runs.lookup.unwrap().attempts, attempts);
}

#[test]
fn a_retry_lifts_the_verdict_on_a_version_and_gives_it_new_pods_in_place_or_not() {
    let left = Case::serving(1).spec(2).failed(2).asks(Verb::Retry, "@1").remembers().state(&v(2));
    assert!(left.failed.is_none() && left.restart.is_some());
    let in_place = Case::new(1).failed(1).on_trial(1).asks(Verb::Retry, "@1").remembers().state(&v(1));
    assert!(in_place.failed.is_none() && in_place.restart.is_some());
}

#[test]
fn a_retry_of_what_has_not_failed_starts_pods_that_are_not_ready_anew() {
    let case = Case::serving(1).rollout(|rollout| rollout.available = false).asks(Verb::Retry, "@1");
    assert!(case.remembers().state(&v(1)).restarting());
}

#[test]
fn a_retry_of_what_is_well_changes_nothing_and_says_so() {
    let case = Case::serving(1).asks(Verb::Retry, "@1");
    assert!(case.says(Verb::Retry).contains("nothing has failed"));
    assert!(!case.remembers().state(&v(1)).restarting());
}

#[test]
fn a_restart_stamps_the_live_version_once() {
    let case = Case::serving(1).asks(Verb::Restart, "@1");
    let after = case.remembers();
    assert!(after.state(&v(1)).restarting());
    let stamp = after.state(&v(1)).restart;
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().stamp, stamp);
}

#[test]
fn a_restart_of_what_is_stopped_or_was_never_live_is_refused() {
    let stopped = Case::serving(1).stopped().rollout(|rollout| rollout.replicas = 0);
    assert!(stopped.asks(Verb::Restart, "@1").says(Verb::Restart).starts_with("rejected"));
    let on_trial = Case::new(1).on_trial(1).asks(Verb::Restart, "@1");
    assert!(on_trial.says(Verb::Restart).starts_with("rejected"));
}

#[test]
fn a_deploy_of_a_commit_says_that_there_is_nothing_to_look_up() {
    let says = Case::serving(1).asks(Verb::Deploy, "@1").says(Verb::Deploy);
    assert!(says.contains("is fixed"), "{says}");
}

#[test]
fn a_request_that_was_seen_is_not_acted_on_again() {
    let case = Case::serving(1).asks(Verb::Restart, "@1");
    let after = case.remembers();
    let case = case.ledger(|ledger| {
        *ledger = after;
        let life = ledger.versions.get_mut(&v(1)).unwrap();
        life.restart = None;
    });
    assert_eq!(case.step(), None);
}

#[test]
fn a_rollback_to_an_unknown_version_is_refused_with_the_list() {
    let says = Case::serving(1).asks(Verb::Rollback, "vfeedbeef@1").says(Verb::Rollback);
    assert!(says.starts_with("rejected") && says.contains(&short(&v(1))), "{says}");
}

#[test]
fn a_rollback_to_a_version_without_an_image_is_refused() {
    let case = Case::serving(1).recorded(2).asks(Verb::Rollback, &format!("{}@1", short(&v(2))));
    assert!(case.says(Verb::Rollback).contains("has no image"));
}

#[test]
fn a_rollback_to_a_failed_version_is_refused_with_what_to_type() {
    let case = Case::serving(1).failed(2).asks(Verb::Rollback, &format!("{}@1", short(&v(2))));
    let says = case.says(Verb::Rollback);
    assert!(says.contains("doce.dev/retry") && says.contains("doce.dev/rollback"), "{says}");
}

#[test]
fn a_rollback_to_a_failed_version_beside_a_retry_is_granted() {
    let case = Case::serving(1)
        .failed(2)
        .asks(Verb::Rollback, &format!("{}@1", short(&v(2))))
        .asks(Verb::Retry, "@1");
    let after = case.remembers();
    assert_eq!((after.hold.clone().unwrap().target, after.state(&v(2)).failed.clone()), (v(2), None));
    assert!(
        !after.is_new(Verb::Retry, "@1") && !after.is_new(Verb::Rollback, &format!("{}@1", short(&v(2))))
    );
}

#[test]
fn a_rollback_to_what_is_not_there_says_so() {
    let says = Case::serving(1).asks(Verb::Rollback, "previous@1").says(Verb::Rollback);
    assert_eq!(says, "rejected: there is no other version that was live");
}

#[test]
fn a_rollback_to_the_version_that_runs_says_so() {
    let case = Case::serving(1).asks(Verb::Rollback, &format!("{}@1", short(&v(1))));
    assert!(case.says(Verb::Rollback).contains("already runs"));
    assert_eq!(case.remembers().hold, None);
}

#[test]
fn a_rollback_under_an_unknown_pin_is_refused_with_the_pin_and_what_can_be_had() {
    let case = Case::new(2).live(1, 1).live(2, 2).in_place(2).pinned("feedbeef");
    let says = case.asks(Verb::Rollback, "previous@1").says(Verb::Rollback);
    assert!(says.starts_with("rejected") && says.contains("spec.pinnedVersion vfeedbeef"), "{says}");
    assert!(says.contains(&short(&v(1))) && !says.contains("looked up"), "{says}");
}

#[test]
fn a_rollback_while_the_config_map_is_missing_says_what_to_do_and_status_offers_none() {
    let mut case = Case::new(2).live(1, 1).live(2, 2).in_place(2);
    let source = serde_json::json!({ "configMap": { "name": "site" } });
    case.project.source = serde_json::from_value(source).unwrap();
    case.observed.config_map = ConfigMap::Missing;
    let status = summarize(None, &case.project, &case.observed, None);
    let offer = status.conditions.iter().find(|condition| condition.type_ == "RollbackAvailable").unwrap();
    assert_eq!(offer.status, "False", "{}", offer.message);
    let says = case.asks(Verb::Rollback, "previous@1").says(Verb::Rollback);
    assert!(says.starts_with("rejected") && says.contains("spec.pinnedVersion"), "{says}");
    assert!(says.contains(&short(&v(1))), "{says}");
}

#[test]
fn previous_is_the_newest_version_that_can_still_be_had() {
    let mut case =
        Case::new(3).live(1, 1).live(2, 2).live(3, 3).in_place(3).asks(Verb::Rollback, "previous@1");
    case.observed.records.remove(&v(2));
    assert_eq!(case.remembers().hold.unwrap().target, v(1));
    let status = summarize(None, &case.project, &case.observed, None);
    assert_eq!(status.previous_version, Some(short(&v(1))));
    let offers = |status: &ProjectDeploymentStatus| {
        let condition =
            status.conditions.iter().find(|condition| condition.type_ == "RollbackAvailable").unwrap();
        (condition.status.clone(), condition.message.clone())
    };
    assert!(offers(&status).1.contains(&short(&v(1))), "{:?}", offers(&status));
    case.observed.records.remove(&v(1));
    let status = summarize(None, &case.project, &case.observed, None);
    assert_eq!((status.previous_version.clone(), offers(&status).0.as_str()), (None, "False"));
    assert!(case.says(Verb::Rollback).starts_with("rejected"));
}
