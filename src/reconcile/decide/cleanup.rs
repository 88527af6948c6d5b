//! Image cleanup for a record that exceeds the limit, in a registry of your own. The Job is created first and starts
//! only once the record is gone. So after a crash at any point, no record names a deleted image and no image is
//! forgotten.

use super::super::observed::Child;
use super::memory::falls_out;
use super::{Situation, Step};
use crate::desired::names;

/// The Job that deletes the image, unless it exists or was rejected. The record is deleted in any case.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    let version = falls_out(situation)?;
    let name = names::cleanup(situation.project, observed.records.get(version)?);
    let there = observed.cleanups.jobs.iter().any(|job| job.name == name);
    let due = observed.cleanups.orphans.contains(version) && !there && !observed.refused(Child::Cleanup);
    due.then(|| Step::CreateCleanupJob { version: version.to_owned() })
}

/// A waiting Job whose record stays, or that is no longer needed because cleanup was turned off.
pub(super) fn unneeded(situation: &Situation<'_>) -> Option<Step> {
    let goes = falls_out(situation);
    let stays = |version: &str| situation.observed.records.contains_key(version) && goes != Some(version);
    let mut waiting = situation.observed.cleanups.jobs.iter().filter(|job| job.waits);
    let unneeded = waiting.find(|job| !situation.project.cleans || stays(&job.version))?;
    Some(Step::DeleteCleanupJob { job: unneeded.name.clone() })
}

/// The next Job for an image after a failed attempt. It is created while the failed one still exists, so that the image
/// is never forgotten, and waits in the queue until its backoff is over.
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
