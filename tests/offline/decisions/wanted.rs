//! Which version runs, pins, stops, and the port.

use doce_operator::crd::conditions::{Reason, Truth};
use doce_operator::reconcile::act::reverted_at_once;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{
    Child, Contested, LostMetadata, Predecessor, Refusal, RefusalReason,
};
use doce_operator::reconcile::status::headline;

use super::case::{Case, at, v};

#[test]
fn a_settled_project_writes_nothing() {
    assert_eq!(Case::serving(1).step(), None);
}

#[test]
fn a_version_with_an_image_is_rolled_out_on_trial() {
    let target = Case::serving(1).spec(2).built(2).rolls();
    assert_eq!((target.version, target.replicas, target.trial), (Some(v(2)), 1, true));
}

#[test]
fn a_version_that_was_live_takes_over_without_a_trial() {
    let target = Case::new(1).live(1, 1).live(2, 2).in_place(2).rolls();
    assert_eq!((target.version, target.trial), (Some(v(1)), false));
}

#[test]
fn the_running_version_stays_while_the_next_one_is_built() {
    let case = Case::serving(1).spec(2).recorded(2);
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { .. })));
}

#[test]
fn an_unfinished_restart_is_reverted_before_a_switch() {
    let case = Case::serving(1).spec(2).built(2);
    let case = case.ledger(|ledger| ledger.versions.get_mut(&v(1)).unwrap().restart = Some("stamp".into()));
    assert_eq!(case.remembers().state(&v(1)).restart, None);
}

#[test]
fn a_deleted_deployment_is_restored_with_its_version() {
    let mut case = Case::serving(1);
    (case.observed.rollout, case.observed.sets) = (None, vec![]);
    assert_eq!(case.rolls().version, Some(v(1)));
    let mut first_that_failed = Case::new(1).failed(1);
    first_that_failed.observed.rollout = None;
    assert_eq!(first_that_failed.rolls().version, Some(v(1)));
}

#[test]
fn without_the_record_of_the_last_live_version_the_one_before_it_runs() {
    let mut case = Case::new(3).live(1, 1).live(2, 2).failed(3);
    case.observed.records.remove(&v(2));
    assert_eq!(case.rolls().version, Some(v(1)));
    case.observed.records.remove(&v(1));
    assert_eq!(case.rolls().version, Some(v(3)), "no other version has a record");
}

#[test]
fn stopping_changes_the_replicas_and_never_the_template() {
    let target = Case::serving(1).spec(2).built(2).stopped().rolls();
    assert_eq!((target.version, target.replicas), (None, 0));
}

#[test]
fn starting_writes_template_and_replicas_together() {
    let case = Case::serving(1).spec(2).built(2).rollout(|rollout| rollout.replicas = 0);
    let target = case.rolls();
    assert_eq!((target.version, target.replicas, target.trial), (Some(v(2)), 1, true));
}

#[test]
fn starting_a_live_version_is_not_a_trial() {
    let target = Case::serving(1).rollout(|rollout| rollout.replicas = 0).rolls();
    assert_eq!((target.version, target.trial, target.stamp), (Some(v(1)), false, None));
}

#[test]
fn starting_a_version_stopped_on_trial_changes_its_template_to_restart_the_deadline() {
    let case = Case::serving(1).spec(2).on_trial(2).rollout(|rollout| rollout.replicas = 0);
    let after = case.remembers();
    assert!(after.state(&v(2)).restart.is_some());
    let target = case.ledger(|ledger| *ledger = after).rolls();
    assert_eq!((target.version, target.replicas, target.stamp.is_some()), (Some(v(2)), 1, true));
}

#[test]
fn the_pinned_version_is_the_target() {
    let target = Case::new(2).live(1, 1).live(2, 2).in_place(2).pinned(&v(1)[..8]).rolls();
    assert_eq!(target.version, Some(v(1)));
}

#[test]
fn a_pin_to_the_version_that_the_spec_yields_is_built() {
    let case = Case::new(1).pinned(&v(1)[..8]);
    assert!(matches!(case.step(), Some(Step::CreateRecord { .. })));
}

#[test]
fn a_pin_to_an_unknown_version_changes_nothing() {
    let case = Case::serving(1).spec(2).built(2).pinned("feedbeef");
    assert_eq!(case.step(), None);
}

#[test]
fn an_ambiguous_pin_changes_nothing() {
    assert_eq!(Case::serving(1).spec(2).built(2).pinned("").step(), None);
}

#[test]
fn a_missing_service_is_restored_with_its_port() {
    let mut case = Case::serving(1);
    case.observed.service = None;
    assert_eq!(case.step(), Some(Step::ApplyService { port: Some(30_100) }));
}

#[test]
fn the_assigned_port_is_remembered() {
    let case = Case::serving(1).ledger(|ledger| ledger.port = None);
    assert_eq!(case.remembers().port, Some(30_100));
}

#[test]
fn a_fixed_port_replaces_the_assigned_one() {
    let mut case = Case::serving(1);
    case.project.fixed_port = Some(30_200);
    assert_eq!(case.step(), Some(Step::ApplyService { port: Some(30_200) }));
}

#[test]
fn a_rejected_deployment_does_not_block_the_service() {
    let mut case = Case::serving(1).spec(2).built(2);
    case.observed.service = None;
    let message = "quota".to_owned();
    case.observed.refusals =
        vec![Refusal { child: Child::Deployment, cause: RefusalReason::Invalid, message }];
    assert!(matches!(case.step(), Some(Step::ApplyService { .. })));
}

#[test]
fn a_deployment_reverted_by_another_controller_is_reported_and_not_rewritten_in_that_pass() {
    let mut case = Case::serving(1).rollout(|rollout| rollout.in_sync = false);
    let Some(step) = case.step() else { panic!("the Deployment is restored") };
    assert!(matches!(step, Step::ApplyDeployment(_)), "{step:?}");
    assert_eq!(reverted_at_once(&case.project, &step, None), None);
    let refusal = reverted_at_once(&case.project, &step, Some(&step)).expect("the same step was just done");
    case.observed.refusals = vec![refusal];
    assert_eq!(case.step(), None);
    let headline = headline(&case.project, &case.observed);
    assert_eq!((headline.ready, headline.reason, headline.stalled), (Truth::False, Reason::Altered, true));
    assert!(headline.message.contains("changes Deployment shop after every write"), "{}", headline.message);
}

#[test]
fn metadata_that_is_stripped_after_every_repair_is_reported_and_repaired_after_a_pause() {
    let mut case = Case::serving(1);
    let lost = |child, name: &str| LostMetadata { child, name: name.into() };
    let (ledger, job) = (lost(Child::Ledger, "shop"), lost(Child::Job, "shop"));
    case.observed.lost_metadata = vec![ledger.clone(), job.clone()];
    let contested = |waits| Contested {
        kind: "ControllerRevision".into(),
        name: "shop".into(),
        message: "police changes label a".into(),
        waits,
        ..Contested::default()
    };
    case.observed.contested = vec![contested(true)];
    assert_eq!(
        case.step(),
        Some(Step::RepairMetadata(job)),
        "the Job has the same name and is not contested"
    );
    case.observed.lost_metadata = vec![ledger.clone()];
    assert_eq!(case.step(), None);
    case.observed.contested = vec![contested(false)];
    assert_eq!(case.step(), Some(Step::RepairMetadata(ledger)));
    case.observed.lost_metadata = vec![];
    let headline = headline(&case.project, &case.observed);
    assert_eq!((headline.ready, headline.reason, headline.stalled), (Truth::False, Reason::Altered, true));
    assert_eq!(headline.message, "police changes label a", "until the last repair has lasted");
}

#[test]
fn nothing_is_written_while_a_namesakes_children_exist_or_the_project_is_being_deleted() {
    let mut case = Case::new(1);
    case.observed.predecessors = vec![Predecessor::default()];
    assert_eq!(case.step(), None);
    let mut case = Case::new(1);
    case.project.deleting = true;
    assert_eq!(case.step(), None);
}

/// What Ready says about a Deployment that Kubernetes began to delete at second 0.
fn waited(seconds: i64, finalizers: &[&str]) -> (bool, String) {
    let mut case = Case::new(1);
    case.observed.ledger = None;
    case.observed.predecessors = vec![Predecessor {
        kind: "Deployment".into(),
        resource: "deployments".into(),
        name: "shop".into(),
        deleted_at: Some(at(0)),
        since: Some(at(0)),
        finalizers: finalizers.iter().copied().map(str::to_owned).collect(),
    }];
    case.observed.now = at(seconds);
    assert_eq!(case.step(), None);
    let headline = headline(&case.project, &case.observed);
    assert_eq!((headline.ready, headline.reason), (Truth::False, Reason::Predecessor));
    assert_eq!(headline.reconciling, !headline.stalled);
    (headline.stalled, headline.message)
}

#[test]
fn a_predecessor_that_does_not_go_stalls_the_project_with_its_finalizer_and_the_way_out() {
    let (stalled, says) = waited(119, &["example.org/wait"]);
    assert!(!stalled && says.ends_with("are gone: Deployment/shop"), "{says}");
    let (stalled, says) = waited(120, &["foregroundDeletion", "example.org/wait", "example.org/too"]);
    assert!(stalled && says.contains("has the finalizer example.org/wait, example.org/too. "), "{says}");
    let way_out =
        "kubectl patch deployments shop -n test --type merge -p '{\"metadata\":{\"finalizers\":null}}'";
    assert!(says.contains(way_out), "{says}");
}

#[test]
fn a_predecessor_whose_pods_are_ending_may_take_as_long_as_they_may() {
    assert!(!waited(7199, &["foregroundDeletion"]).0);
    let (stalled, says) = waited(7200, &["foregroundDeletion"]);
    assert!(stalled && says.contains("kubectl get pods -n test -l doce.dev/project=shop"), "{says}");
}

#[test]
fn a_predecessor_that_kubernetes_does_not_delete_is_named_too() {
    let mut case = Case::new(1);
    let child = Predecessor {
        kind: "Service".into(),
        resource: "services".into(),
        name: "shop".into(),
        ..Predecessor::default()
    };
    case.observed.predecessors = vec![Predecessor { since: Some(at(-120)), ..child.clone() }, child];
    let headline = headline(&case.project, &case.observed);
    assert!(
        headline.stalled && headline.message.starts_with("Service shop of a deleted project"),
        "{headline:?}"
    );
    assert!(headline.message.contains("kubectl delete services shop -n test"), "{}", headline.message);
}
