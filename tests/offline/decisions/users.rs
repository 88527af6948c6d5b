//! Images whose user `run.security` does not allow: the operator never starts them, and the live version keeps serving.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::run::Security;
use doce_operator::crd::status::ProjectDeploymentStatus;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::status::summarize;

use super::case::{Case, v};

/// Version 2 is the target, was built for "restricted" pods, and its image has this user.
fn restricted(case: Case, uid: Option<i64>) -> Case {
    let mut case = case.spec(2).built(2);
    let record = case.observed.records.get_mut(&v(2)).unwrap();
    record.facts.security = Security::Restricted;
    record.image.as_mut().unwrap().uid = uid;
    case
}

fn status(case: &Case) -> ProjectDeploymentStatus {
    summarize(None, &case.project, &case.observed, None)
}

fn ready(status: &ProjectDeploymentStatus) -> (String, String) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
    (ready.reason.clone(), ready.message.clone())
}

#[test]
fn restricted_rejects_an_image_that_runs_as_root_and_keeps_the_live_version_serving() {
    let case = restricted(Case::serving(1), Some(0));
    assert_eq!(case.step(), None, "there is nothing to start and nothing to store");
    let status = status(&case);
    let (reason, message) = ready(&status);
    assert_eq!(reason, "ImageRunsAsRoot");
    for words in ["Add USER", "spec.run.security: Baseline", "keeps serving"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(status.failure.as_ref().unwrap().reason, "ImageRunsAsRoot");
    assert_eq!(
        status.history.iter().find(|entry| entry.state == "Failed").unwrap().version,
        status.desired_version.clone().unwrap()
    );
    assert!(status.conditions.iter().any(|condition| condition.type_ == "Stalled"));
}

#[test]
fn a_rejected_first_version_gets_a_service_but_no_pods() {
    let mut case = restricted(Case::new(2), Some(0));
    assert_eq!(case.step(), None);
    case.observed.service = None;
    assert!(matches!(case.step(), Some(Step::ApplyService { .. })), "{:?}", case.step());
}

#[test]
fn restricted_starts_any_other_user_and_leaves_an_unknown_one_to_the_kubelet() {
    for uid in [Some(1000), None] {
        assert_eq!(restricted(Case::serving(1), uid).rolls().version, Some(v(2)), "{uid:?}");
    }
}

#[test]
fn a_retry_or_rollback_does_not_start_a_rejected_image_and_says_how_to_fix_it() {
    let retry = restricted(Case::serving(1), Some(0)).asks(RequestKind::Retry, "@1");
    assert!(retry.says(RequestKind::Retry).contains("Add USER"), "{}", retry.says(RequestKind::Retry));
    let back =
        restricted(Case::serving(1), Some(0)).spec(1).asks(RequestKind::Rollback, &format!("{}@1", v(2)));
    assert!(back.says(RequestKind::Rollback).starts_with("rejected"), "{}", back.says(RequestKind::Rollback));
    assert!(back.says(RequestKind::Rollback).contains("Add USER"), "{}", back.says(RequestKind::Rollback));
}

#[test]
fn an_image_that_runs_as_root_under_auto_serves_with_a_warning() {
    for (security, warns) in [(Security::Auto, true), (Security::Baseline, false)] {
        let mut case = Case::serving(1);
        let record = case.observed.records.get_mut(&v(1)).unwrap();
        record.facts.security = security;
        record.image.as_mut().unwrap().uid = Some(0);
        let (reason, message) = ready(&status(&case));
        assert_eq!((reason.as_str(), message.contains("runs as root")), ("Serving", warns), "{security:?}");
    }
}
