//! Rows 15 and 16: which `ReplicaSets` and records the operator keeps.

use doce_operator::memory::ledger::Hold;
use doce_operator::reconcile::decide::Step;

use super::case::{Case, v};

fn forgets(number: u8) -> Step {
    Step::DeleteReplicaSet { name: format!("shop-{number}") }
}

/// Version 3 serves, 2 and 1 served before.
fn third() -> Case {
    Case::new(3).live(1, 1).live(2, 2).live(3, 3).in_place(3)
}

#[test]
fn the_replica_set_of_the_previous_version_is_kept_and_older_ones_are_deleted() {
    let mut case = third().set(2, 0, false).set(1, 0, false);
    case.project.limit = 10;
    assert_eq!(case.step(), Some(forgets(1)));
    case.observed.sets.retain(|set| set.name != "shop-1");
    assert_eq!(case.step(), None);
}

#[test]
fn a_failed_version_never_replaces_the_kept_replica_set() {
    let mut case = Case::new(4).live(1, 1).live(2, 2).failed(4).in_place(2).set(1, 0, false).set(4, 0, false);
    case.project.limit = 10;
    assert_eq!(case.step(), Some(forgets(4)));
}

#[test]
fn a_replica_set_with_pods_is_never_deleted() {
    let mut case = third().set(2, 0, false).set(1, 1, false);
    case.project.limit = 10;
    assert_eq!(case.step(), None);
}

#[test]
fn no_good_replica_set_is_deleted_before_the_running_version_is_live() {
    let mut case = Case::new(3).live(1, 1).live(2, 2).on_trial(3).set(2, 1, false).set(1, 0, false);
    case.project.limit = 10;
    assert_eq!(case.step(), None);
}

#[test]
fn no_replica_set_is_deleted_while_stopped() {
    let mut case =
        third().set(2, 0, false).set(1, 0, false).stopped().rollout(|rollout| rollout.replicas = 0);
    case.project.limit = 10;
    assert_eq!(case.step(), None);
}

#[test]
fn a_second_replica_set_of_the_running_version_is_deleted_at_once() {
    let mut case = Case::serving(1).rollout(|rollout| rollout.available = false).set(1, 0, false);
    case.observed.sets[1].stamp = Some("old".into());
    assert_eq!(case.step(), Some(forgets(1)));
}

#[test]
fn an_edited_replica_set_does_not_count_as_the_kept_one() {
    let mut case = Case::new(2).live(1, 1).live(2, 2).in_place(2).set(1, 0, false);
    case.observed.sets[1].faithful = false;
    assert_eq!(case.step(), Some(forgets(1)));
}

#[test]
fn records_beyond_the_limit_are_deleted_never_live_ones_first_then_the_oldest() {
    let case = third();
    assert_eq!(case.step(), Some(Step::DeleteRecord { version: v(1) }));
    assert_eq!(case.recorded(9).step(), Some(Step::DeleteRecord { version: v(9) }));
}

#[test]
fn the_previous_good_version_is_not_pruned_by_age() {
    let case = Case::new(3).live(1, 1).failed(2).live(3, 2).in_place(3).set(1, 0, false);
    assert_eq!(case.step(), Some(Step::DeleteRecord { version: v(2) }));
}

#[test]
fn records_in_use_stay_beyond_the_limit() {
    let held = third().ledger(|ledger| ledger.hold = Some(Hold { left: v(1), target: v(2), since: 2 }));
    assert_eq!(held.step(), None);
    assert_eq!(third().set(1, 1, false).step(), None, "it has a ReplicaSet");
}
