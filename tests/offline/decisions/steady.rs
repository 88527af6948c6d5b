//! Ready of the last live version while pods come and go, and the answer to unknown requests.

use doce_operator::crd::conditions::{Reason, Truth};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{Rollout, Trouble};
use doce_operator::reconcile::status::{Headline, headline, summarize};

use super::case::Case;

/// The headline with three desired pods of version 1 and this state of the Deployment.
fn said(edit: impl FnOnce(&mut Rollout)) -> Headline {
    let mut case = Case::serving(1).rollout(|rollout| {
        *rollout =
            Rollout { replicas: 3, pods: 3, updated: 3, serving: 3, available: false, ..rollout.clone() };
        edit(rollout);
    });
    case.project.replicas = 3;
    headline(&case.project, &case.observed)
}

fn told(edit: impl FnOnce(&mut Rollout)) -> (Truth, Reason, bool) {
    let said = said(edit);
    (said.ready, said.reason, said.reconciling)
}

#[test]
fn scaling_keeps_ready_true_while_one_pod_serves_and_none_is_ailing() {
    let up = |rollout: &mut Rollout| (rollout.pods, rollout.updated, rollout.serving) = (2, 2, 1);
    assert_eq!(told(up), (Truth::True, Reason::Scaling, true));
    assert!(said(up).message.contains("1 of 3 pods"), "{}", said(up).message);
    let down = |rollout: &mut Rollout| (rollout.replicas, rollout.serving) = (1, 3);
    assert_eq!(told(down), (Truth::True, Reason::Scaling, true));
    assert!(said(down).message.contains("1 of 1 pods; 2 more are terminating"), "{}", said(down).message);
    // Kubernetes has not observed the new number yet.
    let unseen = |rollout: &mut Rollout| {
        (rollout.current, rollout.serving, rollout.pods, rollout.updated) = (false, 1, 1, 1);
    };
    assert_eq!(told(unseen), (Truth::True, Reason::Scaling, true));
}

#[test]
fn a_failing_pod_makes_ready_false_instead_of_scaling() {
    let fell = |rollout: &mut Rollout| {
        (rollout.serving, rollout.ailing) = (2, 1);
        rollout.trouble = Some(Trouble { reason: "CrashLoopBackOff".into(), message: "it exits".into() });
    };
    assert_eq!(told(fell), (Truth::False, Reason::Unavailable, true));
    let message = said(fell).message;
    assert!(message.contains("2 of 3 pods") && message.contains("CrashLoopBackOff: it exits"), "{message}");
}

#[test]
fn a_kubectl_restart_keeps_ready_true_until_a_new_pod_fails() {
    let restart = |rollout: &mut Rollout| (rollout.pods, rollout.updated) = (4, 1);
    assert_eq!(told(restart), (Truth::True, Reason::Restarting, true));
    assert!(said(restart).message.contains("1 of 3 are new"), "{}", said(restart).message);
    let stuck = |rollout: &mut Rollout| (rollout.pods, rollout.updated, rollout.ailing) = (4, 1, 1);
    assert_eq!(told(stuck), (Truth::False, Reason::Restarting, true));
    assert!(
        said(stuck).message.contains("kubectl rollout undo deploy/shop -n test"),
        "{}",
        said(stuck).message
    );
}

#[test]
fn ready_says_starting_after_a_stop_and_stopping_while_the_last_pods_end() {
    let started = |rollout: &mut Rollout| (rollout.pods, rollout.updated, rollout.serving) = (3, 3, 0);
    assert_eq!(told(started), (Truth::False, Reason::Starting, true));
    let ending = Case::serving(1).stopped().rollout(|rollout| rollout.replicas = 0);
    let said = headline(&ending.project, &ending.observed);
    assert_eq!((said.ready, said.reason), (Truth::False, Reason::Stopping));
}

#[test]
fn an_unschedulable_extra_pod_gets_advice_to_use_strategy_replace() {
    let trouble = Some(Trouble { reason: "Unschedulable".into(), message: "0/1 nodes are available".into() });
    let case = Case::new(2)
        .live(1, 1)
        .on_trial(2)
        .rollout(|rollout| (rollout.trouble, rollout.serving) = (trouble, 1));
    let said = headline(&case.project, &case.observed).message;
    assert!(said.contains("spec.rollout.strategy: Replace"), "{said}");
}

#[test]
fn an_unknown_request_is_answered_with_the_known_ones() {
    let mut case = Case::serving(1);
    case.project.limit = 10;
    case.project.unknown.insert("rollbak".into(), "previous@1".into());
    assert_eq!(case.step(), None::<Step>, "the ledger does not store it");
    let status = summarize(None, &case.project, &case.observed, None);
    let answer = &status.handled["rollbak"].outcome;
    assert!(answer.contains("unknown request doce.dev/rollbak") && answer.contains("rollback"), "{answer}");
}
