//! What becomes of the image of a record that falls out, in a registry outside the platform's. The Job is made first and
//! started only when the record is gone: ended anywhere between, no image is missing that a record names, and none is
//! forgotten.

use super::super::world::Child;
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
