//! How the project is reached: a node port that is given back and taken again, and who may connect.

use doce_operator::crd::conditions::{ConditionType, Reason};
use doce_operator::crd::spec::AllowedSource;
use doce_operator::reconcile::act::reverted_at_once;
use doce_operator::reconcile::decide::{Step, alongside};
use doce_operator::reconcile::observed::{Child, NetworkPolicy, Refusal, RefusalReason, Service};
use doce_operator::reconcile::status::summarize;

use super::case::{Case, v};

/// The spec asks for no node port.
fn portless(mut case: Case) -> Case {
    case.project.has_node_port = false;
    case
}

fn service(mut case: Case, port: Option<u16>, in_sync: bool) -> Case {
    case.observed.service = Some(Service { port, in_sync });
    case
}

/// The spec admits the pods of a namespace.
fn open_to(mut case: Case, namespace: &str) -> Case {
    let source = AllowedSource { namespace: Some(namespace.to_owned()), cidr: None };
    case.project.allow_from = Some(vec![source]);
    case
}

fn policy(mut case: Case, in_sync: bool) -> Case {
    case.observed.network_policy = Some(NetworkPolicy { in_sync, ending: false });
    case
}

fn refused(mut case: Case, child: Child) -> Case {
    case.observed.refusals =
        vec![Refusal { child, cause: RefusalReason::Invalid, message: "quota".to_owned() }];
    case
}

/// Reason and message of `PortAllocated`, and whether Ready is True.
fn told(case: &Case) -> (String, String, bool) {
    let status = summarize(None, &case.project, &case.observed, Some("node.test"));
    let is = |kind: ConditionType| status.conditions.iter().find(|there| there.type_ == kind.name()).unwrap();
    let (port, ready) = (is(ConditionType::PortAllocated), is(ConditionType::Ready));
    (port.reason.clone(), port.message.clone(), ready.status == "True")
}

#[test]
fn a_port_is_recorded_as_the_former_one_before_the_service_gives_it_back() {
    let case = service(portless(Case::serving(1)), Some(30_100), false);
    let after = case.remembers();
    assert_eq!((after.port, after.former_port), (None, Some(30_100)));
    assert_eq!(refused(case, Child::Ledger).step(), None, "what cannot be recorded is not done");
    let case = service(portless(Case::serving(1)), Some(30_100), false).ledger(|ledger| *ledger = after);
    assert_eq!(case.step(), Some(Step::ApplyService { port: None }));
    let case = service(case, None, true);
    assert_eq!(case.step(), None);
    let (reason, message, is_ready) = told(&case);
    assert_eq!((reason.as_str(), is_ready), (Reason::NotRequested.name(), true));
    assert!(message.contains("http://shop.test") && message.contains("30100"), "{message}");
}

#[test]
fn the_service_gives_no_port_back_with_the_deployment_before_that_is_recorded() {
    let case = service(portless(Case::serving(1).spec(2).built(2)), Some(30_100), false);
    let step = case.step().unwrap();
    assert!(matches!(step, Step::ApplyDeployment(_)), "{step:?}");
    assert_eq!(alongside(&case.project, &case.observed, &step), None);
    let case = case.ledger(|ledger| *ledger = ledger.clone().without_port());
    assert_eq!(alongside(&case.project, &case.observed, &step), Some(Step::ApplyService { port: None }));
}

#[test]
fn a_first_deploy_without_a_node_port_records_none() {
    let mut case = portless(Case::serving(1)).ledger(|ledger| ledger.port = None);
    case.observed.service = None;
    assert_eq!(case.step(), Some(Step::ApplyService { port: None }));
    assert_eq!(service(case, None, true).step(), None);
}

#[test]
fn a_port_that_comes_back_is_the_projects_again_and_another_one_is_explained() {
    let back = || Case::serving(1).ledger(|ledger| *ledger = ledger.clone().without_port());
    assert_eq!(service(back(), None, false).step(), Some(Step::ApplyService { port: None }));
    let same = service(back(), Some(30_100), true).remembers();
    assert_eq!((same.port, same.former_port), (Some(30_100), None));
    let other = service(back(), Some(30_200), true).remembers();
    assert_eq!((other.port, other.former_port), (Some(30_200), Some(30_100)));
    let case = service(back(), Some(30_200), true).ledger(|ledger| *ledger = other);
    assert_eq!(case.step(), None);
    let (_, message, is_ready) = told(&case);
    assert!(message.contains("Node port 30100, which it had before") && is_ready, "{message}");
    let mut fixed = service(back(), Some(30_200), true);
    fixed.project.fixed_port = Some(30_200);
    let fixed = fixed.remembers();
    assert_eq!((fixed.port, fixed.former_port), (Some(30_200), None), "a port of the spec needs no reason");
}

#[test]
fn the_network_policy_is_applied_before_the_deployment() {
    let mut case = open_to(Case::new(1).built(1), "web");
    case.observed.service = None;
    assert_eq!(case.step(), Some(Step::ApplyNetworkPolicy));
    assert_eq!(alongside(&case.project, &case.observed, &Step::ApplyNetworkPolicy), None);
    assert_eq!(policy(case, true).rolls().version, Some(v(1)));
    let changed = policy(open_to(Case::serving(1).spec(2).built(2), "web"), false);
    assert_eq!(changed.step(), Some(Step::ApplyNetworkPolicy));
}

#[test]
fn without_its_network_policy_no_first_pod_starts_and_running_ones_go_on() {
    let case = refused(open_to(Case::new(1).built(1), "web"), Child::NetworkPolicy);
    assert_eq!(case.step(), None, "its pods would be open to everyone");
    let scaled = open_to(Case::serving(1).rollout(|rollout| rollout.replicas = 0), "web");
    assert_eq!(refused(scaled, Child::NetworkPolicy).step(), None);
    let runs = refused(open_to(Case::serving(1).spec(2).built(2), "web"), Child::NetworkPolicy);
    assert_eq!(runs.rolls().version, Some(v(2)));
    let stops = refused(open_to(Case::serving(1).stopped(), "web"), Child::NetworkPolicy);
    assert_eq!(stops.rolls().replicas, 0);
}

#[test]
fn the_network_policy_goes_with_the_field() {
    let mut case = policy(Case::serving(1), false);
    assert_eq!(case.step(), Some(Step::DeleteNetworkPolicy));
    case.observed.network_policy = Some(NetworkPolicy { in_sync: false, ending: true });
    assert_eq!(case.step(), None, "someone's finalizer keeps it");
    assert_eq!(policy(open_to(Case::serving(1), "web"), true).step(), None);
    let rejected = refused(policy(Case::serving(1), true), Child::NetworkPolicy);
    assert_eq!(rejected.step(), None);
}

#[test]
fn a_network_policy_reverted_by_another_controller_is_reported() {
    let case = policy(open_to(Case::serving(1), "web"), false);
    let step = case.step().unwrap();
    assert_eq!(reverted_at_once(&case.project, &step, None), None);
    let refusal = reverted_at_once(&case.project, &step, Some(&step)).unwrap();
    assert_eq!((refusal.child, refusal.cause), (Child::NetworkPolicy, RefusalReason::Altered));
    assert!(refusal.message.contains("changes NetworkPolicy shop after every write"), "{}", refusal.message);
}
