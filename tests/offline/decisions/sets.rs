//! Which `ReplicaSets` and records the operator keeps.

use doce_operator::memory::ledger::Hold;
use doce_operator::reconcile::decide::{Step, TemplateOrigin};

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
    case.observed.sets[1].in_sync = false;
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

#[test]
fn a_rollback_takes_startup_budget_and_extras_of_the_newest_replica_set_of_its_version_and_stamp() {
    let mut case = Case::new(1).live(1, 1).live(2, 2).in_place(2);
    assert_eq!(case.rolls().template, TemplateOrigin::Project, "its ReplicaSet is gone");
    case = case.set(1, 0, false).set(1, 0, false).set(1, 0, false);
    for (set, (name, revision)) in
        case.observed.sets[1..].iter_mut().zip([("shop-first", 1), ("shop-newest", 3), ("shop-stamped", 4)])
    {
        (set.name, set.revision) = (name.to_owned(), revision);
    }
    case.observed.sets[3].stamp = Some("another".into());
    assert_eq!(case.rolls().template, TemplateOrigin::ReplicaSet("shop-newest".into()));
}

#[test]
fn a_repair_or_a_change_of_replicas_leaves_startup_budget_and_extras_as_they_are() {
    let repaired = Case::serving(1).rollout(|rollout| rollout.in_sync = false).rolls();
    assert_eq!((repaired.version, repaired.template), (Some(v(1)), TemplateOrigin::InPlace));
    assert_eq!(Case::serving(1).stopped().rolls().template, TemplateOrigin::InPlace);
}
