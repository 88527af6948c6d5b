//! Polls of a source: when they are due, when none is due, and that a failed one does not change Ready.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::conditions::Truth;
use doce_operator::crd::status::TriggerKind;
use doce_operator::memory::ledger::{Answer, Attempts, Failure, Hold, Lookup};
use doce_operator::memory::record::{SourceFact, Trigger};
use doce_operator::project::DigestSource;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{JobState, Trouble};
use doce_operator::reconcile::status::headline;

use super::case::{Case, at, commit, key, v};

/// A branch that resolved to this commit at second 0 and is polled every minute.
fn polled(number: u8) -> Case {
    let mut case = Case::branch();
    case.project.interval = Some(60);
    let DigestSource::LookedUp(of) = case.project.origin() else { panic!("a branch needs a lookup") };
    let answer = Answer { number: 1, source: SourceFact { digest: commit(number), ..SourceFact::default() } };
    let lookup = Lookup { of, number: 1, answer: Some(answer), at: Some(at(0)), ..Lookup::default() };
    case.ledger(|ledger| ledger.lookup = Some(lookup))
}

fn after(mut case: Case, seconds: i64) -> Case {
    case.observed.now = at(seconds);
    case
}

fn serving() -> Case {
    polled(1).live(1, 1).in_place(1)
}

/// The minute is over, and the poll is requested.
fn looking() -> Case {
    let case = after(serving(), 60);
    let remembers = case.remembers();
    case.ledger(|ledger| *ledger = remembers)
}

#[test]
fn a_poll_is_due_one_interval_after_the_last_lookup_ended_and_is_numbered() {
    assert_eq!(after(serving(), 59).step(), None);
    let lookup = after(serving(), 60).remembers().lookup.unwrap();
    assert_eq!((lookup.number, lookup.trigger.unwrap().cause), (2, TriggerKind::Poll));
    let Some(Step::CreateBuildJob { of, reason, .. }) = looking().step() else { panic!("no lookup") };
    assert_eq!((of, reason), (BuildTarget::Lookup(2), "Polled"));
}

#[test]
fn a_project_that_is_stopped_pinned_building_or_without_interval_is_not_polled() {
    assert_eq!(
        after(serving(), 600).stopped().step().map(|step| matches!(step, Step::ApplyDeployment(_))),
        Some(true)
    );
    let pin = key(1)[..8].to_owned();
    assert!(!matches!(after(serving(), 600).pinned(&pin).step(), Some(Step::WriteLedger(_))));
    let mut never = after(serving(), 600);
    never.project.interval = None;
    assert_eq!(never.step(), None);
    let builds = after(polled(2).live(1, 1).in_place(1).recorded(2), 600);
    assert!(
        matches!(builds.step(), Some(Step::CreateBuildJob { of: BuildTarget::Key(_), .. })),
        "a build has priority"
    );
    assert_eq!(builds.job(BuildTarget::Key(key(2)), 0, JobState::Running).step(), None);
}

#[test]
fn a_source_that_fails_to_build_is_polled_every_ten_minutes_and_a_cancelled_one_never() {
    let broken = |cancelled| {
        let failed = Some(Failure::default());
        polled(2).live(1, 1).in_place(1).recorded(2).ledger(|ledger| {
            ledger.builds.insert(key(2), Attempts { failed, cancelled, ..Attempts::default() });
        })
    };
    assert_eq!(after(broken(false), 599).step(), None);
    assert_eq!(after(broken(false), 600).remembers().lookup.unwrap().number, 2);
    assert_eq!(after(broken(true), 6000).step(), None);
}

#[test]
fn a_hold_that_leaves_an_unbuilt_version_does_not_stop_polling() {
    let kept = Hold { left: v(2), target: v(1), since: 1 };
    let held =
        || polled(2).live(1, 1).in_place(1).recorded(2).ledger(|ledger| ledger.hold = Some(kept.clone()));
    assert_eq!(after(held(), 59).step(), None, "a hold does not build the left version");
    assert_eq!(after(held(), 60).remembers().lookup.unwrap().number, 2);
    let cancelled = held().ledger(|ledger| {
        let failed = Some(Failure::default());
        ledger.builds.insert(key(2), Attempts { failed, cancelled: true, ..Attempts::default() });
    });
    assert_eq!(after(cancelled, 6000).step(), None, "a cancel stays in force");
}

#[test]
fn a_new_commit_found_by_a_poll_has_trigger_poll_and_a_later_spec_change_has_apply() {
    let look = |case: Case| {
        case.ledger(|ledger| {
            let poll = Some(Trigger { cause: TriggerKind::Poll, by: None });
            ledger.lookup.as_mut().expect("the branch has a lookup").trigger = poll;
        })
    };
    let trigger = |case: &Case| match case.step() {
        Some(Step::CreateRecord { trigger, .. }) => trigger,
        other => panic!("expected a record, got {other:?}"),
    };
    assert_eq!(trigger(&look(polled(2).live(1, 1).in_place(1))).cause, TriggerKind::Poll);
    let mut case = look(polled(1).live(1, 1).in_place(1));
    case.project.run.port = 3001;
    case.project.field_managers.spec = Some("helm".to_owned());
    assert_eq!(trigger(&case), Trigger { cause: TriggerKind::Apply, by: Some("helm".to_owned()) });
}

#[test]
fn a_running_or_failed_poll_does_not_change_ready() {
    let runs = looking().job(BuildTarget::Lookup(2), 0, JobState::Running);
    assert_eq!(headline(&runs.project, &runs.observed).ready, Truth::True);
    let lost = JobState::Lost(Trouble { reason: "BuildFault".into(), message: "no answer".into() });
    let case = looking().job(BuildTarget::Lookup(2), 0, lost);
    let remembers = case.remembers();
    let attempts = &remembers.lookup.as_ref().unwrap().attempts;
    assert_eq!((attempts.attempt, attempts.fault.as_ref().unwrap().count), (1, 1), "retried with backoff");
    let case = case.ledger(|ledger| *ledger = remembers);
    let headline = headline(&case.project, &case.observed);
    assert_eq!(headline.ready, Truth::True);
    assert!(headline.message.contains("polling branch main failed: no answer"), "{headline:?}");
}

#[test]
fn a_cancelled_poll_is_not_a_verdict_and_restarts_the_interval() {
    let mut case =
        looking().job(BuildTarget::Lookup(2), 0, JobState::Running).asks(RequestKind::Cancel, "shop-build@1");
    case.observed.jobs[0].started = Some(at(61));
    let lookup = case.remembers().lookup.unwrap();
    assert_eq!(
        (lookup.answer.unwrap().number, lookup.at, lookup.attempts),
        (2, Some(at(61)), Attempts::default())
    );
}

#[test]
fn a_first_lookup_is_not_a_poll() {
    let trigger = Some(Trigger { cause: TriggerKind::Poll, by: None });
    assert!(!Lookup { trigger, ..Lookup::default() }.polls(), "there is no earlier answer to keep");
}
