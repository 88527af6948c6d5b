//! Requests. A rejected request counts as handled, and its outcome says what to type instead.

use doce_operator::crd::ProjectDeploymentStatus;
use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Attempts, Failure, Fault, Lookup};
use doce_operator::project::DigestSource;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{ConfigMap, JobState};
use doce_operator::reconcile::status::summarize;
use doce_operator::version::short;

use super::case::{Case, at, key, v};

fn building() -> Case {
    Case::serving(1).spec(2).recorded(2).job(BuildTarget::Key(key(2)), 0, JobState::Running)
}

fn stuck() -> Attempts {
    Attempts { failed: Some(Failure::default()), ..Attempts::default() }
}

#[test]
fn a_cancel_ends_the_named_build_until_a_retry() {
    let case = building().asks(RequestKind::Cancel, "shop-build@1");
    let after = case.remembers();
    assert!(after.attempts(&key(2)).cancelled && !after.is_new(RequestKind::Cancel, "shop-build@1"));
    let next = case.ledger(|ledger| *ledger = after).step();
    assert!(matches!(next, Some(Step::DeleteBuildJob { .. })));
}

#[test]
fn a_cancel_of_another_build_is_handled_and_changes_nothing() {
    let after = building().asks(RequestKind::Cancel, "shop-other@1").remembers();
    assert_eq!(after.attempts(&key(2)), Attempts::default());
    assert!(after.handled[&RequestKind::Cancel].outcome.contains("status.build.id"));
}

#[test]
fn a_retry_lifts_the_verdict_on_a_build() {
    let case = Case::serving(1).spec(2).recorded(2).ledger(|ledger| {
        ledger.builds.insert(key(2), stuck());
    });
    let after = case.asks(RequestKind::Retry, "@1").remembers().attempts(&key(2));
    assert_eq!((after.attempt, after.failed), (1, None));
}

#[test]
fn a_retry_does_not_disturb_an_attempt_that_already_runs() {
    let fault = Fault { count: 1, alike: 0, at: at(0), failure: Failure::default() };
    let attempts = Attempts { attempt: 1, fault: Some(fault), ..Attempts::default() };
    let faulty = || {
        Case::serving(1).spec(2).recorded(2).asks(RequestKind::Retry, "@1").ledger(|ledger| {
            ledger.builds.insert(key(2), attempts.clone());
        })
    };
    assert_eq!(faulty().remembers().attempts(&key(2)).attempt, 2, "it ends the backoff");
    let runs = faulty().job(BuildTarget::Key(key(2)), 1, JobState::Running).remembers();
    assert_eq!(runs.attempts(&key(2)), attempts);
    assert!(!runs.is_new(RequestKind::Retry, "@1"), "it is handled");
    let mut case = Case::branch().asks(RequestKind::Retry, "@1");
    let DigestSource::LookedUp(of) = case.project.origin() else { panic!("a branch needs a lookup") };
    let lookup = Lookup { of, number: 1, attempts: attempts.clone(), ..Lookup::default() };
    case = case.ledger(|ledger| ledger.lookup = Some(lookup));
    assert_eq!(case.remembers().lookup.unwrap().attempts.attempt, 2);
    let runs = case.job(BuildTarget::Lookup(1), 1, JobState::Running).remembers();
    assert_eq!(runs.lookup.unwrap().attempts, attempts);
}

#[test]
fn a_retry_lifts_the_verdict_on_a_version_and_restarts_its_pods_whether_or_not_it_runs() {
    let left = Case::serving(1).spec(2).failed(2).asks(RequestKind::Retry, "@1").remembers().state(&v(2));
    assert!(left.failed.is_none() && left.restart.is_some());
    let in_place = Case::new(1).failed(1).on_trial(1).asks(RequestKind::Retry, "@1").remembers().state(&v(1));
    assert!(in_place.failed.is_none() && in_place.restart.is_some());
}

#[test]
fn a_retry_without_a_failure_restarts_pods_that_are_not_ready() {
    let case = Case::serving(1).rollout(|rollout| rollout.available = false).asks(RequestKind::Retry, "@1");
    assert!(case.remembers().state(&v(1)).restarting());
}

#[test]
fn a_retry_of_a_healthy_version_changes_nothing_and_says_so() {
    let case = Case::serving(1).asks(RequestKind::Retry, "@1");
    assert!(case.says(RequestKind::Retry).contains("nothing has failed"));
    assert!(!case.remembers().state(&v(1)).restarting());
}

#[test]
fn a_restart_stamps_the_live_version_once() {
    let case = Case::serving(1).asks(RequestKind::Restart, "@1");
    let after = case.remembers();
    assert!(after.state(&v(1)).restarting());
    let stamp = after.state(&v(1)).restart;
    assert_eq!(case.ledger(|ledger| *ledger = after).rolls().stamp, stamp);
}

#[test]
fn a_restart_of_a_stopped_or_never_live_version_is_rejected() {
    let stopped = Case::serving(1).stopped().rollout(|rollout| rollout.replicas = 0);
    assert!(stopped.asks(RequestKind::Restart, "@1").says(RequestKind::Restart).starts_with("rejected"));
    let on_trial = Case::new(1).on_trial(1).asks(RequestKind::Restart, "@1");
    assert!(on_trial.says(RequestKind::Restart).starts_with("rejected"));
}

#[test]
fn a_deploy_of_a_commit_says_that_there_is_nothing_to_look_up() {
    let says = Case::serving(1).asks(RequestKind::Deploy, "@1").says(RequestKind::Deploy);
    assert!(says.contains("needs no lookup"), "{says}");
}

#[test]
fn a_handled_request_is_not_repeated() {
    let case = Case::serving(1).asks(RequestKind::Restart, "@1");
    let after = case.remembers();
    let case = case.ledger(|ledger| {
        *ledger = after;
        let life = ledger.versions.get_mut(&v(1)).unwrap();
        life.restart = None;
    });
    assert_eq!(case.step(), None);
}

#[test]
fn a_rollback_to_an_unknown_version_is_rejected_with_the_available_versions() {
    let says = Case::serving(1).asks(RequestKind::Rollback, "vfeedbeef@1").says(RequestKind::Rollback);
    assert!(says.starts_with("rejected") && says.contains(&short(&v(1))), "{says}");
}

#[test]
fn a_rollback_to_a_version_without_an_image_is_rejected() {
    let case = Case::serving(1).recorded(2).asks(RequestKind::Rollback, &format!("{}@1", short(&v(2))));
    assert!(case.says(RequestKind::Rollback).contains("has no image"));
}

#[test]
fn a_rollback_to_a_failed_version_is_rejected_with_the_commands_to_use() {
    let case = Case::serving(1).failed(2).asks(RequestKind::Rollback, &format!("{}@1", short(&v(2))));
    let says = case.says(RequestKind::Rollback);
    assert!(says.contains("doce.dev/retry") && says.contains("doce.dev/rollback"), "{says}");
}

#[test]
fn a_rollback_to_a_failed_version_with_a_retry_is_accepted() {
    let case = Case::serving(1)
        .failed(2)
        .asks(RequestKind::Rollback, &format!("{}@1", short(&v(2))))
        .asks(RequestKind::Retry, "@1");
    let after = case.remembers();
    assert_eq!((after.hold.clone().unwrap().target, after.state(&v(2)).failed.clone()), (v(2), None));
    assert!(
        !after.is_new(RequestKind::Retry, "@1")
            && !after.is_new(RequestKind::Rollback, &format!("{}@1", short(&v(2))))
    );
}

#[test]
fn a_rollback_without_a_previous_version_is_rejected() {
    let says = Case::serving(1).asks(RequestKind::Rollback, "previous@1").says(RequestKind::Rollback);
    assert_eq!(says, "rejected: there is no other version that was live");
}

#[test]
fn a_rollback_to_the_running_version_says_so() {
    let case = Case::serving(1).asks(RequestKind::Rollback, &format!("{}@1", short(&v(1))));
    assert!(case.says(RequestKind::Rollback).contains("already runs"));
    assert_eq!(case.remembers().hold, None);
}

#[test]
fn a_rollback_under_an_unknown_pin_is_rejected_with_the_pin_and_the_available_versions() {
    let case = Case::new(2).live(1, 1).live(2, 2).in_place(2).pinned("feedbeef");
    let says = case.asks(RequestKind::Rollback, "previous@1").says(RequestKind::Rollback);
    assert!(says.starts_with("rejected") && says.contains("spec.pinnedVersion vfeedbeef"), "{says}");
    assert!(says.contains(&short(&v(1))) && !says.contains("look"), "{says}");
}

#[test]
fn without_its_config_map_a_rollback_is_rejected_with_advice_and_status_offers_none() {
    let mut case = Case::new(2).live(1, 1).live(2, 2).in_place(2);
    let source = serde_json::json!({ "configMap": { "name": "site" } });
    case.project.source = serde_json::from_value(source).unwrap();
    case.observed.config_map = ConfigMap::Missing;
    let status = summarize(None, &case.project, &case.observed, None);
    let offer = status.conditions.iter().find(|condition| condition.type_ == "RollbackAvailable").unwrap();
    assert_eq!(offer.status, "False", "{}", offer.message);
    let says = case.asks(RequestKind::Rollback, "previous@1").says(RequestKind::Rollback);
    assert!(says.starts_with("rejected") && says.contains("spec.pinnedVersion"), "{says}");
    assert!(says.contains(&short(&v(1))), "{says}");
}

#[test]
fn previous_is_the_newest_other_live_version_with_a_record() {
    let mut case =
        Case::new(3).live(1, 1).live(2, 2).live(3, 3).in_place(3).asks(RequestKind::Rollback, "previous@1");
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
    assert!(case.says(RequestKind::Rollback).starts_with("rejected"));
}
