//! Init commands: which runs start, what waits for them, and how their results are stored.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::init_command::InitCommand;
use doce_operator::memory::ledger::{InitRun, VersionState};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::init::{InitFailure, InitJob, InitState};
use doce_operator::reconcile::observed::{Child, Refusal, RefusalReason, Trouble};

use super::case::{Case, at, v};

/// Adds a record with an image and an init command.
fn with_command(case: Case, number: u8) -> Case {
    let mut case = case.built(number);
    let record = case.observed.records.get_mut(&v(number)).expect("it was built");
    record.facts.init_command = Some(InitCommand::default());
    case
}

fn begun(case: Case, number: u64, version: u8) -> Case {
    case.ledger(|ledger| ledger.init = Some(InitRun { number, version: v(version), ended: false }))
}

fn job(mut case: Case, number: u64, version: u8, state: InitState) -> Case {
    let name = format!("shop-{number}");
    case.observed.inits.push(InitJob { name, version: v(version), number, state, ..InitJob::default() });
    case
}

fn failure(outside: bool) -> InitState {
    let trouble = Trouble { reason: "InitCommandFailed".into(), message: "it says so".into() };
    InitState::Failed(InitFailure { trouble, log: "last words".into(), outside, at: at(0) })
}

#[test]
fn a_run_is_recorded_before_its_job_is_created_and_the_version_starts_after_it_succeeds() {
    let case = with_command(Case::serving(1).spec(2), 2);
    let run = case.remembers().init.expect("a run");
    assert_eq!((run.number, run.version.as_str(), run.ended), (1, v(2).as_str(), false));
    let case = begun(case, 1, 2);
    assert_eq!(case.step(), Some(Step::CreateInitJob { version: v(2), number: 1 }));
    let case = job(case, 1, 2, InitState::Running);
    assert_eq!(case.step(), None, "the live version keeps serving");
    let done = job(begun(with_command(Case::serving(1).spec(2), 2), 1, 2), 1, 2, InitState::Done);
    let after = done.remembers();
    assert!(after.state(&v(2)).initialized && after.init.expect("the run").ended);
    let done = with_command(Case::serving(1).spec(2), 2).ledger(|ledger| {
        ledger.versions.insert(v(2), VersionState { initialized: true, ..VersionState::default() });
    });
    assert_eq!(done.rolls().version, Some(v(2)));
}

#[test]
fn a_failed_init_command_is_a_verdict_and_does_not_start_a_first_version() {
    let case = job(begun(with_command(Case::new(1), 1), 1, 1), 1, 1, failure(false));
    let after = case.remembers();
    let failed = after.state(&v(1)).failed.expect("a verdict");
    assert_eq!((failed.stage.as_str(), failed.log.as_str()), ("Init", "last words"));
    assert!(after.state(&v(1)).outside.is_none() && after.init.expect("the run").ended);
    let case = with_command(Case::new(1), 1).failed(1);
    let case = with_command(case, 1);
    assert!(!matches!(case.step(), Some(Step::ApplyDeployment(_))), "{:?}", case.step());
}

#[test]
fn a_retry_starts_another_run_and_an_outside_cause_does_so_after_a_pause() {
    let failed = |outside: bool| {
        let case = job(begun(with_command(Case::serving(1).spec(2), 2), 1, 2), 1, 2, failure(outside));
        let after = case.remembers();
        case.ledger(|ledger| *ledger = after)
    };
    assert_eq!(failed(false).step(), None);
    let lifted = failed(false).asks(RequestKind::Retry, "@1");
    let after = lifted.remembers();
    assert!(after.state(&v(2)).failed.is_none());
    assert_eq!(lifted.ledger(|ledger| *ledger = after).remembers().init.expect("a run").number, 2);
    let mut outside = failed(true);
    assert_eq!(outside.step(), None);
    outside.observed.now = at(10);
    let after = outside.remembers();
    assert!(after.state(&v(2)).failed.is_none());
    assert_eq!(after.state(&v(2)).outside.expect("how often").count, 1);
}

#[test]
fn a_running_init_command_finishes_and_the_next_version_waits() {
    let runs = || job(begun(with_command(Case::serving(1), 2), 1, 2), 1, 2, InitState::Running);
    let case = with_command(runs().spec(3), 3);
    assert_eq!(case.step(), None);
    let lost = with_command(Case::serving(1).spec(3), 3);
    let lost = job(lost, 1, 2, InitState::Running);
    assert_eq!(lost.step(), None, "without a ledger, existing Jobs count");
}

#[test]
fn without_a_ledger_the_run_of_the_target_version_continues() {
    let case = job(with_command(Case::serving(1).spec(2), 2), 7, 2, InitState::Done);
    assert_eq!(case.remembers().init.expect("the run").number, 7);
    let case = job(with_command(Case::serving(1).spec(2), 2), 7, 1, InitState::Done);
    assert_eq!(case.remembers().init.expect("a run").number, 8);
}

#[test]
fn no_run_starts_while_stopped_and_a_rejected_run_of_an_old_target_is_given_up() {
    assert_eq!(
        with_command(Case::serving(1).spec(2), 2).rollout(|rollout| rollout.replicas = 0).stopped().step(),
        None
    );
    let mut case = begun(with_command(with_command(Case::serving(1).spec(3), 2), 3), 1, 2);
    assert_eq!(case.step(), Some(Step::CreateInitJob { version: v(2), number: 1 }));
    let refusal = Refusal { child: Child::Init, cause: RefusalReason::Invalid, message: "quota".into() };
    case.observed.refusals.push(refusal);
    assert!(case.remembers().init.expect("the run").ended);
}

#[test]
fn returning_to_a_live_version_runs_no_init_command() {
    let case = with_command(Case::serving(2).spec(2).live(1, 1).live(2, 2).in_place(2), 1);
    let case = case.ledger(|ledger| ledger.versions.get_mut(&v(1)).expect("live").live = Some(1));
    assert_eq!(case.spec(1).rolls().version, Some(v(1)));
}
