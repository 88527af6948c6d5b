//! Which two writes are sent at the same time.

use doce_operator::reconcile::decide::{Step, alongside};
use doce_operator::reconcile::observed::{Child, Refusal, RefusalReason};

use super::case::{Case, v};

/// The step, and what is sent with it.
fn both(case: &Case) -> (Step, Option<Step>) {
    let step = case.step().expect("there is something to do");
    let also = alongside(&case.project, &case.observed, &step);
    (step, also)
}

/// A rejected write to this child.
fn refused(child: Child) -> Vec<Refusal> {
    vec![Refusal { child, cause: RefusalReason::Invalid, message: "quota".to_owned() }]
}

/// The project was just applied: nothing exists.
fn applied() -> Case {
    let mut case = Case::new(1);
    (case.observed.ledger, case.observed.service) = (None, None);
    case
}

#[test]
fn the_record_is_created_with_the_first_ledger() {
    let (step, also) = both(&applied());
    assert!(matches!(step, Step::WriteLedger(_)), "{step:?}");
    assert!(matches!(&also, Some(Step::CreateRecord { version, .. }) if *version == v(1)), "{also:?}");
}

#[test]
fn a_record_that_exists_or_was_rejected_or_cannot_be_known_yet_is_not_created_with_the_ledger() {
    assert_eq!(both(&applied().recorded(1)).1, None, "someone deleted the ledger");
    let mut case = applied();
    case.observed.refusals = refused(Child::Record);
    assert_eq!(both(&case).1, None);
    let mut case = Case::branch();
    case.observed.ledger = None;
    assert_eq!(both(&case).1, None, "the branch must be looked up first");
}

#[test]
fn the_service_is_applied_with_the_deployment_if_it_differs_too() {
    let mut case = Case::new(1).built(1);
    case.observed.service = None;
    let (step, also) = both(&case);
    assert!(matches!(step, Step::ApplyDeployment(_)), "{step:?}");
    assert_eq!(also, Some(Step::ApplyService { port: Some(30_100) }));
    case.observed.refusals = refused(Child::Service);
    assert_eq!(both(&case).1, None);
    assert_eq!(both(&Case::serving(1).spec(2).built(2)).1, None, "the Service is as it should be");
}

#[test]
fn every_other_write_goes_alone() {
    let forgotten = Case::serving(1).ledger(|ledger| ledger.port = None);
    assert!(matches!(both(&forgotten), (Step::WriteLedger(_), None)), "it says something about what exists");
    assert!(matches!(both(&Case::new(1)), (Step::CreateRecord { .. }, None)));
}

#[test]
fn during_a_rollout_the_port_is_noted_with_the_verdict() {
    let unnoted = |case: Case| case.ledger(|ledger| ledger.port = None);
    assert_eq!(unnoted(Case::new(1).on_trial(1)).step(), None, "the verdict comes within the deadline");
    let verdict = unnoted(Case::new(1).built(1).in_place(1)).remembers();
    assert_eq!((verdict.port, verdict.last_live), (Some(30_100), 1));
    let serves = unnoted(Case::serving(1)).remembers();
    assert_eq!(serves.port, Some(30_100), "no verdict is awaited");
    let builds = unnoted(Case::new(1).recorded(1));
    let job = builds.step();
    assert!(matches!(job, Some(Step::CreateBuildJob { .. })), "{job:?}");
}
