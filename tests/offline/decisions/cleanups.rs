//! An image in a registry other than the platform's: first the cleanup Job, then the record.

use doce_operator::desired::names;
use doce_operator::image_cleanup::observed::Cleanup;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{Child, Refusal, RefusalReason};

use super::case::{Case, v};

/// Version 3 serves, version 1 exceeds the limit, and no other record references its image.
fn falls_out() -> Case {
    let mut case = Case::new(3).live(1, 1).live(2, 2).live(3, 3).in_place(3);
    case.observed.cleanups.orphans = [v(1), v(2)].into();
    case
}

fn forgets() -> Step {
    Step::DeleteRecord { version: v(1) }
}

impl Case {
    /// Adds the cleanup Job for the image of this version.
    fn cleanup(mut self, number: u8, waits: bool) -> Self {
        let name = names::cleanup(&self.project, &self.observed.records[&v(number)]);
        self.observed.cleanups.jobs.push(Cleanup { name, version: v(number), waits, ..Cleanup::default() });
        self
    }
}

#[test]
fn the_cleanup_job_is_created_once_before_the_record_is_deleted() {
    let case = falls_out();
    assert_eq!(case.step(), Some(Step::CreateCleanupJob { version: v(1) }));
    assert_eq!(case.cleanup(1, true).step(), Some(forgets()));
    assert_eq!(falls_out().cleanup(1, false).step(), Some(forgets()));
}

#[test]
fn an_image_that_is_still_referenced_gets_no_cleanup_job() {
    let mut case = falls_out();
    case.observed.cleanups.orphans = [v(2)].into();
    assert_eq!(case.step(), Some(forgets()));
}

#[test]
fn a_rejected_cleanup_job_does_not_keep_the_record() {
    let mut case = falls_out();
    let refusal = |child| Refusal { child, cause: RefusalReason::Invalid, message: "quota".to_owned() };
    case.observed.refusals = vec![refusal(Child::Cleanup)];
    assert_eq!(case.step(), Some(forgets()));
    case.observed.refusals = vec![refusal(Child::Job)];
    assert_eq!(case.step(), Some(Step::CreateCleanupJob { version: v(1) }), "only a build Job is rejected");
}

#[test]
fn a_waiting_cleanup_job_is_deleted_if_its_record_stays() {
    let job = |case: &Case| case.observed.cleanups.jobs[0].name.clone();
    let mut more = falls_out().cleanup(1, true);
    more.project.limit = 10;
    assert_eq!(more.step(), Some(Step::DeleteCleanupJob { job: job(&more) }));
    let mut kept = falls_out().cleanup(1, true);
    kept.project.cleans = false;
    assert_eq!(kept.step(), Some(Step::DeleteCleanupJob { job: job(&kept) }));
    let mut runs = falls_out().cleanup(1, false);
    runs.project.limit = 10;
    assert_eq!(runs.step(), None, "a started Job is not ended");
}

#[test]
fn a_cleanup_job_without_a_record_is_left_to_the_queue() {
    let mut case = falls_out().cleanup(1, true);
    case.observed.records.remove(&v(1));
    assert_eq!(case.step(), None);
}

#[test]
fn a_later_record_of_the_same_version_gets_its_own_cleanup_job() {
    let case = falls_out();
    let mut later = case.observed.records[&v(1)].clone();
    later.created = Some(super::case::at(500));
    let of = |record| names::cleanup(&case.project, record);
    assert_ne!(of(&case.observed.records[&v(1)]), of(&later));
}

#[test]
fn a_failed_cleanup_job_is_followed_by_exactly_one_more() {
    let mut case = falls_out().cleanup(1, false);
    case.observed.records.remove(&v(1));
    case.observed.cleanups.jobs[0].tries_again = true;
    let failed = case.observed.cleanups.jobs[0].name.clone();
    assert_eq!(case.step(), Some(Step::RecreateCleanupJob { job: failed.clone() }));
    let refusal =
        Refusal { child: Child::Cleanup, cause: RefusalReason::Invalid, message: "quota".to_owned() };
    case.observed.refusals = vec![refusal];
    assert_eq!(case.step(), None);
    case.observed.refusals.clear();
    let next = names::cleanup_again(&case.project, &failed);
    let next = Cleanup { name: next, version: v(1), waits: true, ..Cleanup::default() };
    case.observed.cleanups.jobs.push(next);
    assert_eq!(case.step(), None);
}
