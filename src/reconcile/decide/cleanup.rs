//! What becomes of the image of a record that falls out, in a registry outside the platform's. The Job is made first and
//! started only when the record is gone: ended anywhere between, no image is missing that a record names, and none is
//! forgotten.

use super::super::observed::Child;
use super::memory::falls_out;
use super::{Situation, Step};
use crate::desired::names;

/// Row 16: the Job that deletes the image, unless it is there or was refused: the record goes all the same.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    let version = falls_out(situation)?;
    let name = names::cleanup(situation.project, observed.records.get(version)?);
    let there = observed.cleanups.jobs.iter().any(|job| job.name == name);
    let due = observed.cleanups.orphans.contains(version) && !there && !observed.refused(Child::Cleanup);
    due.then(|| Step::CreateCleanupJob { version: version.to_owned() })
}

/// A Job that waits although its record stays, or although nothing is to be deleted any more.
pub(super) fn unneeded(situation: &Situation<'_>) -> Option<Step> {
    let goes = falls_out(situation);
    let stays = |version: &str| situation.observed.records.contains_key(version) && goes != Some(version);
    let mut waiting = situation.observed.cleanups.jobs.iter().filter(|job| job.waits);
    let unneeded = waiting.find(|job| !situation.project.cleans || stays(&job.version))?;
    Some(Step::DeleteCleanupJob { job: unneeded.name.clone() })
}

/// The next Job for an image whose registry did not answer. It is made while the one that failed is still there, so that
/// the image is never forgotten in between, and waits its pause in the queue.
pub(super) fn again(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    if !situation.project.cleans || observed.refused(Child::Cleanup) {
        return None;
    }
    let follows = |name: &String| observed.cleanups.jobs.iter().any(|job| job.name == *name);
    let mut failed = observed.cleanups.jobs.iter().filter(|job| job.tries_again);
    let failed = failed.find(|job| !follows(&names::cleanup_again(situation.project, &job.name)))?;
    Some(Step::RecreateCleanupJob { job: failed.name.clone() })
}
