//! Images that are gone from their registry: noted, built again under the same version, and never judged.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::spec::Takeover;
use doce_operator::memory::ledger::{Answer, Failure, Lookup, Replaced};
use doce_operator::memory::lost_images::set_apart;
use doce_operator::memory::record::SourceFact;
use doce_operator::project::DigestSource;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::report::{Built, Failed, Stage};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::decide::lost_images::lost_at;
use doce_operator::reconcile::observed::{JobState, MissingImage};
use doce_operator::reconcile::status::summarize;

use jiff::SignedDuration;

use super::case::{Case, at, commit, failed, key, v};

const TEN_MINUTES: i64 = 600;

fn image(number: u8) -> String {
    format!("registry.test/shop@sha256:{number}")
}

/// A node says that the registry does not have the image of the version in place.
fn missing(case: Case, number: u8) -> Case {
    case.rollout(|rollout| {
        rollout.missing_image = Some(MissingImage { reference: image(number), since: at(-60) });
        (rollout.available, rollout.serving) = (false, 0);
    })
}

/// The operator has noted that the image is gone.
fn lost(mut case: Case, number: u8) -> Case {
    case = case.ledger(|ledger| {
        let attempts = ledger.builds.entry(key(number)).or_default();
        (attempts.attempt, attempts.lost) = (1, Some(image(number)));
    });
    seen_again(case)
}

/// The next look at the same records.
fn seen_again(mut case: Case) -> Case {
    let mut records = std::mem::take(&mut case.observed.records);
    for record in records.values_mut() {
        record.image = record.image.take().or(record.lost.take());
    }
    case.observed.records = set_apart(records, case.observed.ledger.as_ref());
    case
}

fn rebuilt(number: u8, digest: &str) -> JobState {
    let digest = digest.to_owned();
    JobState::Built(Built { digest, key: key(number), source: commit(number), ..Built::default() })
}

fn of(number: u8) -> BuildTarget {
    BuildTarget::Key(key(number))
}

fn condition(case: &Case, kind: &str) -> (String, String, String) {
    let status = summarize(None, &case.project, &case.observed, None);
    let found = status.conditions.into_iter().find(|condition| condition.type_ == kind).expect(kind);
    (found.status, found.reason, found.message)
}

#[test]
fn an_image_that_a_node_does_not_find_is_noted_and_built_again_from_the_recorded_commit() {
    let case = missing(Case::serving(1), 1);
    let after = case.remembers().attempts(&key(1));
    assert_eq!((after.attempt, after.lost), (1, Some(image(1))));
    let case = lost(case, 1);
    let Some(Step::CreateBuildJob { of: what, attempt, digest, reason }) = case.step() else {
        panic!("no build")
    };
    assert_eq!((what, attempt, digest, reason), (of(1), 1, Some(commit(1)), "ImageLost"));
    assert_eq!(case.job(of(1), 1, JobState::Running).step(), None);
}

#[test]
fn the_version_in_place_is_built_again_while_the_spec_names_another_commit_that_does_not_build() {
    let case = missing(Case::serving(1).spec(2).recorded(2), 1).ledger(|ledger| {
        ledger.builds.entry(key(2)).or_default().failed = Some(Failure::default());
    });
    let Some(Step::CreateBuildJob { of: what, digest, .. }) = lost(case, 1).step() else {
        panic!("no build")
    };
    assert_eq!((what, digest), (of(1), Some(commit(1))));
}

#[test]
fn a_rebuild_waits_for_another_build_of_the_project() {
    let case = missing(Case::serving(1).spec(2).recorded(2), 1).job(of(2), 0, JobState::Running);
    assert_eq!(lost(case, 1).step(), None);
}

#[test]
fn another_image_replaces_the_lost_one_and_then_the_pods_get_it() {
    let case = lost(missing(Case::serving(1), 1), 1).job(of(1), 1, rebuilt(1, "sha256:new"));
    let Some(Step::WriteImage { version, image }) = case.step() else { panic!("no image") };
    assert_eq!((version, image.reference.as_str()), (v(1), "registry.test/shop@sha256:new"));
    let mut case = case;
    case.observed.records.get_mut(&v(1)).unwrap().lost = None;
    case.observed.records.get_mut(&v(1)).unwrap().image = Some(image);
    let after = case.remembers();
    let replaced = Replaced { count: 1, at: at(0) };
    assert_eq!((after.attempts(&key(1)).lost, after.attempts(&key(1)).replaced), (None, Some(replaced)));
    let case = case.ledger(|ledger| *ledger = after).rollout(|rollout| rollout.in_sync = false);
    assert_eq!(case.rolls().version, Some(v(1)), "the version is the same, its pods are new");
}

#[test]
fn the_same_image_ends_the_loss_and_pods_that_wait_for_it_do_not_start_it_anew() {
    let mut case = lost(missing(Case::serving(1), 1), 1).job(of(1), 1, rebuilt(1, "sha256:1"));
    let after = case.remembers();
    assert_eq!(after.attempts(&key(1)).lost, None);
    case = seen_again(case.ledger(|ledger| *ledger = after));
    case.observed.now = at(TEN_MINUTES - 1);
    assert_eq!(case.step(), None, "the kubelet has not tried again yet");
    case.observed.now = at(TEN_MINUTES);
    assert_eq!(case.remembers().attempts(&key(1)).attempt, 2, "it is gone again");
}

#[test]
fn a_registry_that_loses_an_image_again_and_again_gets_it_after_growing_pauses() {
    let mut case = missing(Case::serving(1), 1);
    case = case.rollout(|rollout| rollout.missing_image.as_mut().unwrap().since = at(1));
    let mut pauses = vec![];
    for count in 1..=8 {
        let replaced = Some(Replaced { count, at: at(0) });
        case = case.ledger(|ledger| ledger.builds.entry(key(1)).or_default().replaced = replaced);
        let lost_at = lost_at(&case.observed).unwrap();
        case.observed.now = lost_at - SignedDuration::from_secs(1);
        assert_eq!(case.step(), None, "after {count}");
        case.observed.now = lost_at;
        assert!(case.remembers().attempts(&key(1)).lost.is_some());
        pauses.push(lost_at.duration_since(at(0)).as_secs());
    }
    assert_eq!(
        pauses,
        [10, 20, 40, 80, 160, 320, 600, 600],
        "a pod that is newer than the image must find it"
    );
}

#[test]
fn reports_from_before_the_loss_do_not_bring_the_lost_image_back() {
    let case = missing(Case::serving(1), 1).job(of(1), 0, rebuilt(1, "sha256:1"));
    let case = lost(case, 1).job(BuildTarget::Lookup(1), 0, rebuilt(1, "sha256:1"));
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { attempt: 1, .. })), "{:?}", case.step());
}

#[test]
fn a_rebuild_that_fails_is_tried_again_and_is_no_verdict() {
    let state = JobState::Failed(failed(Stage::Build, "BuildFailed"));
    let case = lost(missing(Case::serving(1), 1), 1).job(of(1), 1, state);
    let after = case.remembers().attempts(&key(1));
    assert!(after.failed.is_none() && after.lost.is_some());
    assert_eq!((after.attempt, after.fault.map(|fault| fault.count)), (2, Some(1)));
}

#[test]
fn with_other_build_settings_a_lost_image_is_reported_with_the_way_out_and_not_built() {
    let mut case = lost(missing(Case::serving(1), 1), 1);
    case.project.settings.epoch = 7;
    case.project.pin = Some(v(1));
    assert_eq!(case.step(), None);
    let (status, reason, message) = condition(&case, "Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ImageLost"), "{message}");
    assert!(message.contains("spec.build has changed") && message.contains("doce.dev/retry"), "{message}");
}

#[test]
fn ready_says_what_is_gone_and_that_it_is_built_again() {
    let case = lost(missing(Case::serving(1), 1), 1).job(of(1), 1, JobState::Running);
    let (status, reason, message) = condition(&case, "Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ImageLost"));
    assert!(message.contains("is gone from its registry, so it is built again"), "{message}");
    let serves = lost(Case::serving(1), 1);
    let (status, reason, message) = condition(&serves, "Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Serving"), "its pods run");
    assert!(message.contains("cannot start. It is being built again"), "{message}");
    assert_eq!(condition(&serves, "Built").1, "ImageLost");
}

#[test]
fn a_rollback_to_a_lost_image_needs_a_build_and_is_announced_so() {
    let case = lost(Case::serving(2).live(1, 0), 1);
    let (status, reason, message) = condition(&case, "RollbackAvailable");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ImageLost"));
    assert!(message.contains("after a new build: kubectl annotate"), "{message}");
    let case = case.asks(RequestKind::Rollback, &format!("{}@1", v(1)));
    assert!(
        case.says(RequestKind::Rollback).ends_with("after its build"),
        "{}",
        case.says(RequestKind::Rollback)
    );
    let held = case.remembers();
    let case = seen_again(case.ledger(|ledger| *ledger = held));
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { attempt: 1, .. })), "{:?}", case.step());
}

#[test]
fn a_rollback_to_a_lost_image_that_nothing_describes_is_rejected_with_the_way_out() {
    let mut case = lost(Case::serving(2).live(1, 0), 1).asks(RequestKind::Rollback, &format!("{}@1", v(1)));
    case.project.settings.epoch = 7;
    case.project.pin = Some(v(2));
    let says = case.says(RequestKind::Rollback);
    assert!(says.contains("is gone from its registry") && says.contains("Set them back"), "{says}");
}

#[test]
fn what_the_sweep_misses_is_noted_for_every_version_and_built_only_if_it_serves() {
    let mut case = Case::serving(2).live(1, 0);
    case.observed.listed_lost.insert(image(1), at(-5));
    assert_eq!(case.remembers().attempts(&key(1)).lost, Some(image(1)));
    let case = lost(case, 1);
    assert_eq!(case.step(), None, "a rollback would build it");
    assert_eq!(condition(&case, "RollbackAvailable").1, "ImageLost");
    let mut case = Case::serving(1);
    case.observed.listed_lost.insert(image(1), at(-5));
    let after = case.remembers();
    let case = seen_again(case.ledger(|ledger| *ledger = after));
    let Some(Step::CreateBuildJob { attempt: 1, reason, .. }) = case.step() else { panic!("no build") };
    assert_eq!(reason, "RebuiltAhead", "no pod needs it yet");
}

#[test]
fn an_older_look_of_the_sweep_says_nothing_about_the_new_image() {
    let mut case = Case::serving(1).ledger(|ledger| {
        ledger.builds.entry(key(1)).or_default().replaced = Some(Replaced { count: 1, at: at(-100) });
    });
    case.observed.listed_lost.insert(image(1), at(-200));
    assert_eq!((case.step(), lost_at(&case.observed)), (None, None));
    case.observed.listed_lost.insert(image(1), at(-50));
    assert!(case.remembers().attempts(&key(1)).lost.is_some());
}

#[test]
fn a_version_whose_image_is_lost_and_that_still_runs_is_returned_to_and_built_again_meanwhile() {
    let case = Case::serving(1).spec(2).built(2).in_place(2).rollout(|rollout| {
        (rollout.available, rollout.completed, rollout.deadline_over) = (false, false, true);
    });
    let case = lost(case, 1);
    assert!(case.remembers().state(&v(2)).failed.is_some());
    let after = case.remembers();
    let case = seen_again(case.ledger(|ledger| *ledger = after));
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { attempt: 1, .. })), "{:?}", case.step());
    let case = case.job(of(1), 1, JobState::Running);
    assert_eq!(case.rolls().version, Some(v(1)), "its pods run where the image is");
}

#[test]
fn under_replace_pods_that_run_are_not_ended_for_a_rebuilt_image() {
    let mut case = lost(Case::serving(1), 1);
    case.project.rollout.strategy = Takeover::Replace;
    assert_eq!(case.step(), None);
    assert!(condition(&case, "Ready").2.contains("when a pod needs it"));
    let case = missing(case, 1);
    assert!(matches!(case.step(), Some(Step::CreateBuildJob { .. })), "now one needs it");
}

#[test]
fn a_person_who_pushed_the_image_again_gets_new_pods_that_tell() {
    let mut case = lost(missing(Case::serving(1), 1), 1);
    case.project.settings.epoch = 7;
    case.project.pin = Some(v(1));
    let case = case.asks(RequestKind::Retry, "@1");
    let after = case.remembers();
    assert_eq!(after.attempts(&key(1)).lost, None);
    assert!(after.state(&v(1)).restarting());
    let case = seen_again(case.ledger(|ledger| *ledger = after));
    assert_eq!(lost_at(&case.observed), None, "the old pods say nothing");
    assert_eq!(case.rolls().version, Some(v(1)));
}

#[test]
fn polls_find_a_newer_commit_while_a_rebuild_fails_and_leave_its_backoff_alone() {
    let mut case = lost(Case::serving(1), 1);
    let source = failed(Stage::Build, "BuildFailed");
    let found = Failed { source: Some(commit(1)), key: Some(key(1)), ..source };
    case = looking_up_again(case);
    let case = case.job(BuildTarget::Lookup(2), 0, JobState::Failed(found));
    let after = case.remembers();
    assert_eq!(after.attempts(&key(1)), case.observed.ledger.as_ref().unwrap().attempts(&key(1)));
    assert_eq!(after.lookup.unwrap().answer.unwrap().number, 2);
}

/// The spec names a branch, and its next lookup is open.
fn looking_up_again(case: Case) -> Case {
    let branch = Case::branch();
    let DigestSource::LookedUp(of) = branch.project.origin() else { panic!("a branch needs a lookup") };
    let answer = Answer { number: 1, source: SourceFact { digest: commit(1), ..SourceFact::default() } };
    let lookup = Lookup { of, number: 2, answer: Some(answer), ..Lookup::default() };
    let case = Case { project: branch.project, ..case };
    case.ledger(|ledger| ledger.lookup = Some(lookup))
}

#[test]
fn another_source_does_not_describe_a_lost_image() {
    let mut case = lost(missing(Case::serving(1), 1), 1);
    let record = case.observed.records.get_mut(&v(1)).unwrap();
    record.facts.source.reference = "archive https://files.test/shop.tar.gz".to_owned();
    case.project.pin = Some(v(1));
    assert_eq!(case.step(), None);
    assert_eq!(condition(&case, "Stalled").1, "ImageLost");
}
