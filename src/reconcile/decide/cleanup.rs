//! What becomes of the image of a record that falls out, in a registry outside the platform's. The Job is made first and
//! started only when the record is gone: ended anywhere between, no image is missing that a record names, and none is
//! forgotten.

use super::super::observed::Child;
use super::memory::falls_out;
use super::{Situation, Step};
use crate::desired::names;

/// Row 16: the Job that deletes the image, unless it is there or was refused: the record goes all the same.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    let world = situation.world;
    let version = falls_out(situation)?;
    let name = names::cleanup(situation.project, world.records.get(version)?);
    let there = world.cleanups.jobs.iter().any(|job| job.name == name);
    let due = world.cleanups.orphans.contains(version) && !there && !world.refused(Child::Cleanup);
    due.then(|| Step::CleanUp { version: version.to_owned() })
}

/// A Job that waits although its record stays, or although nothing is to be deleted any more.
pub(super) fn unwanted(situation: &Situation<'_>) -> Option<Step> {
    let goes = falls_out(situation);
    let stays = |version: &str| situation.world.records.contains_key(version) && goes != Some(version);
    let mut waiting = situation.world.cleanups.jobs.iter().filter(|job| job.waits);
    let unwanted = waiting.find(|job| !situation.project.cleans || stays(&job.version))?;
    Some(Step::EndCleanup { job: unwanted.name.clone() })
}

/// The next Job for an image whose registry did not answer. It is made while the one that failed is still there, so that
/// the image is never forgotten in between, and waits its pause in the queue.
pub(super) fn again(situation: &Situation<'_>) -> Option<Step> {
    let world = situation.world;
    if !situation.project.cleans || world.refused(Child::Cleanup) {
        return None;
    }
    let follows = |name: &String| world.cleanups.jobs.iter().any(|job| job.name == *name);
    let mut failed = world.cleanups.jobs.iter().filter(|job| job.tries_again);
    let failed = failed.find(|job| !follows(&names::cleanup_again(situation.project, &job.name)))?;
    Some(Step::CleanUpAgain { job: failed.name.clone() })
}
