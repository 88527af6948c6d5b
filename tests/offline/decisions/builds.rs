//! Records, results of Jobs, which Jobs should exist, and the backoff after faults.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Answer, Attempts, Failure, Fault, Lookup};
use doce_operator::memory::record::SourceFact;
use doce_operator::project::DigestSource;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::report::{Built, Stage};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{JobState, Trouble};

use super::case::{Case, at, commit, failed, key, v};

fn built(number: u8) -> JobState {
    let digest = format!("sha256:{number}");
    JobState::Built(Built { digest, key: key(number), source: commit(number), ..Built::default() })
}

fn of(number: u8) -> BuildTarget {
    BuildTarget::Key(key(number))
}

/// A branch whose lookup is requested and has no answer yet.
fn looking_up() -> Case {
    let case = Case::branch();
    let DigestSource::LookedUp(of) = case.project.origin() else { panic!("a branch needs a lookup") };
    case.ledger(|ledger| ledger.lookup = Some(Lookup { of, number: 1, ..Lookup::default() }))
}

#[test]
fn a_new_ledger_counts_existing_requests_as_handled() {
    let mut case = Case::new(1).asks(RequestKind::Restart, "@1");
    case.observed.ledger = None;
    assert_eq!(case.remembers().handled[&RequestKind::Restart].value, "@1");
    assert_eq!(case.remembers().port, Some(30_100));
}

#[test]
fn a_lost_ledger_relearns_only_the_serving_version_as_live() {
    let mut case = Case::serving(1);
    case.observed.ledger = None;
    assert_eq!(case.remembers().state(&v(1)).live, Some(1));
    let mut case = Case::serving(1).on_trial(2).rollout(|rollout| rollout.serving = 1);
    case.observed.ledger = None;
    assert_eq!(case.remembers().state(&v(2)).live, None, "the previous version's pods serve");
}

#[test]
fn a_version_is_recorded_before_it_is_built() {
    let Some(Step::CreateRecord { version, key: of, image: None, .. }) = Case::new(1).step() else {
        panic!("no record")
    };
    assert_eq!((version, of), (v(1), Some(key(1))));
}

#[test]
fn a_recorded_version_without_an_image_is_built_once() {
    let case = Case::new(1).recorded(1);
    let Some(Step::CreateBuildJob { of: what, attempt: 0, digest, reason }) = case.step() else {
        panic!("no build")
    };
    assert_eq!((what, digest, reason), (of(1), Some(commit(1)), "FirstBuild"));
    assert_eq!(case.job(of(1), 0, JobState::Running).step(), None);
}

#[test]
fn a_stopped_project_builds_nothing() {
    assert_eq!(Case::new(1).recorded(1).stopped().step(), None);
}

#[test]
fn an_image_goes_into_every_record_of_its_build_key() {
    let case = Case::new(1).recorded(1).job(of(1), 0, built(1));
    let Some(Step::WriteImage { version, image }) = case.step() else { panic!("no image") };
    assert_eq!((version, image.reference), (v(1), "registry.test/shop@sha256:1".to_owned()));
}

#[test]
fn a_build_failure_is_a_verdict_on_the_build_key_and_is_not_retried() {
    let state = JobState::Failed(failed(Stage::Build, "BuildFailed"));
    let case = Case::new(1).recorded(1).job(of(1), 0, state);
    let after = case.remembers();
    assert_eq!(after.attempts(&key(1)).failed.unwrap().reason, "BuildFailed");
    assert_eq!(case.ledger(|ledger| *ledger = after).step(), None);
}

#[test]
fn a_fault_is_not_a_verdict_and_is_retried_with_backoff() {
    let state = JobState::Failed(failed(Stage::Push, "RegistryUnavailable"));
    let case = Case::new(1).recorded(1).job(of(1), 0, state);
    let after = case.remembers();
    let attempts = after.attempts(&key(1));
    assert_eq!(
        (attempts.attempt, attempts.failed.is_some(), attempts.fault.clone().unwrap().count),
        (1, false, 1)
    );
    let mut case = case.ledger(|ledger| *ledger = after);
    case.observed.now = at(9);
    assert_eq!(case.step(), None, "the backoff is not over");
    case.observed.now = at(10);
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { attempt: 1, .. })));
    let pauses: Vec<i64> = (1..9)
        .map(|count| Fault { count, alike: 0, at: at(0), failure: Failure::default() }.pause(10))
        .collect();
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
}

#[test]
fn a_job_that_ends_without_a_report_is_a_fault() {
    let evicted = Trouble { reason: "Evicted".into(), message: "no disk".into() };
    let case = Case::new(1).recorded(1).job(of(1), 0, JobState::Lost(evicted));
    let fault = case.remembers().attempts(&key(1)).fault.unwrap();
    assert_eq!((fault.failure.stage.as_str(), fault.failure.reason.as_str()), ("Build", "Evicted"));
}

#[test]
fn a_build_whose_pod_never_ran_gives_its_place_back_and_is_retried_with_backoff() {
    let why = Trouble { reason: "Unschedulable".into(), message: "no node".into() };
    let mut case = Case::new(1).recorded(1).job(of(1), 0, JobState::Lost(why));
    (case.observed.jobs[0].finished, case.observed.jobs[0].cutoff) = (None, Some(at(1770)));
    case.observed.now = at(1770);
    let after = case.remembers();
    assert_eq!(after.attempts(&key(1)).fault.unwrap().at, at(1770));
    let mut case = case.ledger(|ledger| *ledger = after);
    assert_eq!(
        case.step(),
        Some(Step::DeleteBuildJob { job: "shop-build".into() }),
        "first the note, then the Job"
    );
    case.observed.jobs[0].state = JobState::Running;
    assert_eq!(
        case.step(),
        Some(Step::DeleteBuildJob { job: "shop-build".into() }),
        "the pod has started after all"
    );
    case.observed.jobs.clear();
    assert_eq!(case.step(), None, "the backoff is not over");
    case.observed.now = at(1780);
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { attempt: 1, .. })));
}

#[test]
fn faults_of_one_kind_become_a_verdict_after_five_attempts_in_a_row() {
    let ends = |reasons: &[&str]| {
        let mut case = Case::new(1).recorded(1);
        let mut attempts = Attempts::default();
        for (attempt, reason) in (0..).zip(reasons) {
            let ended = JobState::Failed(failed(Stage::Fetch, reason));
            let after = case.job(of(1), attempt, ended).remembers();
            attempts = after.attempts(&key(1));
            case = Case::new(1).recorded(1).ledger(|ledger| *ledger = after);
        }
        attempts
    };
    for reason in ["OutOfMemory", "OutOfDisk", "BuildTimeout", "BuilderLost"] {
        assert!(ends(&[reason; 4]).failed.is_none(), "{reason}");
        let over = ends(&[reason; 5]);
        assert!(over.failed.unwrap().message.contains("5 attempts in a row"), "{reason}");
        assert_eq!((over.attempt, over.fault), (4, None));
    }
    let mixed = ["OutOfMemory", "OutOfMemory", "OutOfDisk", "OutOfMemory", "OutOfMemory", "OutOfMemory"];
    assert!(ends(&mixed).failed.is_none(), "none of the last five is alike");
    assert!(ends(&["BaseImageUnreachable"; 9]).failed.is_none(), "a registry may be down for days");
}

#[test]
fn a_build_that_is_no_longer_needed_is_ended() {
    let case = Case::serving(1).recorded(2).job(of(2), 0, JobState::Running);
    assert_eq!(case.step(), Some(Step::DeleteBuildJob { job: "shop-build".into() }));
}

#[test]
fn a_build_whose_result_is_recorded_is_not_ended_though_an_old_view_shows_it_running() {
    let built = Case::serving(1).built(2).job(of(2), 0, JobState::Running);
    assert_eq!(built.step(), None);
    let queued = Case::serving(1).built(2).job(of(2), 0, JobState::Queued);
    assert!(matches!(queued.step(), Some(Step::DeleteBuildJob { .. })), "it would build for nothing");

    let looked_up = |answered: u64| {
        let mut case =
            Case::branch().live(1, 1).in_place(1).job(BuildTarget::Lookup(2), 0, JobState::Running);
        let source = SourceFact { digest: commit(1), ..SourceFact::default() };
        let answer = Some(Answer { number: answered, source });
        let DigestSource::LookedUp(of) = case.project.origin() else { panic!("a branch is looked up") };
        case.observed.ledger.as_mut().unwrap().lookup =
            Some(Lookup { of, number: answered, answer, ..Lookup::default() });
        case.step()
    };
    assert!(!matches!(looked_up(2), Some(Step::DeleteBuildJob { .. })));
    assert!(matches!(looked_up(3), Some(Step::DeleteBuildJob { .. })), "a later lookup answered instead");
}

#[test]
fn the_operator_waits_for_a_terminating_job() {
    let case = Case::serving(1).recorded(2).job(of(2), 0, JobState::Ending);
    assert_eq!(case.step(), None);
    let wanted_again = Case::new(1).recorded(1).job(of(1), 0, JobState::Ending);
    assert_eq!(wanted_again.step(), None, "its name is still taken");
}

#[test]
fn the_next_build_waits_until_the_job_of_the_last_one_has_ended() {
    let mut case = Case::new(2).recorded(2).job(of(1), 0, JobState::Built(Built::default()));
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { .. })), "{:?}", case.step());
    case.observed.jobs[0].closes = true;
    assert_eq!(case.step(), None);
}

#[test]
fn a_branch_is_looked_up_by_a_numbered_job() {
    let number = Case::branch().remembers().lookup.unwrap().number;
    assert_eq!(number, 1);
    assert!(matches!(
        looking_up().step(),
        Some(Step::CreateBuildJob { of: BuildTarget::Lookup(1), digest: None, .. })
    ));
}

#[test]
fn the_result_of_a_lookup_is_remembered_and_recorded_with_its_image() {
    let case = looking_up().job(BuildTarget::Lookup(1), 0, built(1));
    let after = case.remembers();
    assert_eq!(after.lookup.clone().unwrap().answer.unwrap().source.digest, commit(1));
    let Some(Step::CreateRecord { version, image: Some(_), .. }) =
        case.ledger(|ledger| *ledger = after).step()
    else {
        panic!("no record with an image")
    };
    assert_eq!(version, v(1));
}

#[test]
fn an_answer_to_an_older_lookup_is_ignored() {
    let case = looking_up().ledger(|ledger| ledger.lookup.as_mut().unwrap().number = 2);
    let case = case.job(BuildTarget::Lookup(1), 0, built(1));
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { of: BuildTarget::Lookup(2), .. })));
}

#[test]
fn a_lookup_whose_build_fails_records_the_commit_and_its_verdict() {
    let mut report = failed(Stage::Build, "BuildFailed");
    (report.source, report.key, report.log) = (Some(commit(1)), Some(key(1)), "last words".into());
    let after = looking_up().job(BuildTarget::Lookup(1), 0, JobState::Failed(report)).remembers();
    assert_eq!(after.lookup.clone().unwrap().answer.unwrap().source.digest, commit(1));
    assert_eq!(after.attempts(&key(1)).failed.unwrap().log, "last words");
}

#[test]
fn the_last_lookup_result_stays_the_target_until_a_deploy_request() {
    let answer =
        Some(Answer { number: 1, source: SourceFact { digest: commit(1), ..SourceFact::default() } });
    let case = looking_up().live(1, 1).in_place(1).ledger(|ledger| {
        let lookup = ledger.lookup.as_mut().unwrap();
        (lookup.answer, lookup.attempts) = (answer, Attempts::default());
    });
    assert_eq!(case.step(), None);
    let deploys = case.asks(RequestKind::Deploy, "@1");
    let after = deploys.remembers();
    assert_eq!((after.lookup.as_ref().unwrap().number, after.is_new(RequestKind::Deploy, "@1")), (2, false));
    let next = deploys.ledger(|ledger| *ledger = after).step();
    assert!(matches!(next, Some(Step::CreateBuildJob { of: BuildTarget::Lookup(2), .. })), "{next:?}");
}

/// The branch resolved to 1, whose build has these attempts. A new lookup of the branch failed.
fn fails_anew(attempts: Attempts, reason: &str, stage: Stage) -> Attempts {
    let mut report = failed(stage, reason);
    (report.source, report.key) = (Some(commit(1)), Some(key(1)));
    let case = looking_up().recorded(1).ledger(|ledger| drop(ledger.builds.insert(key(1), attempts)));
    case.job(BuildTarget::Lookup(1), 0, JobState::Failed(report)).remembers().attempts(&key(1))
}

#[test]
fn a_failed_lookup_does_not_lift_a_cancel() {
    let words = Failure { reason: "Cancelled".into(), ..Failure::default() };
    let cancelled = Attempts { cancelled: true, failed: Some(words), ..Attempts::default() };
    assert_eq!(fails_anew(cancelled.clone(), "RegistryUnavailable", Stage::Push), cancelled);
    assert_eq!(fails_anew(cancelled.clone(), "BuildFailed", Stage::Build), cancelled);
}

#[test]
fn a_lookup_fault_keeps_the_verdict_and_a_newer_verdict_replaces_it() {
    let verdict = Attempts { failed: Some(Failure::default()), ..Attempts::default() };
    assert_eq!(fails_anew(verdict.clone(), "RegistryUnavailable", Stage::Push), verdict);
    assert_eq!(fails_anew(verdict, "BuildFailed", Stage::Build).failed.unwrap().reason, "BuildFailed");
}
