//! Images that are gone from their registry: noted as soon as a node or the sweep says so, and built again under the same
//! version.

use jiff::{SignedDuration, Timestamp};

use crate::memory::ledger::{Attempts, Ledger, Replaced};
use crate::memory::record::Record;

use super::super::observed::{BuildJob, JobState, Observed, Rollout};
use super::{Situation, Step};
use crate::protocol::build_target::BuildTarget;

/// Time that a pod has to pull an image that was built again while it waited. The kubelet tries again after at most five
/// minutes, and until then it says that the image is missing.
const PULLED_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// A registry that kept an image for so long is no longer one that loses it again and again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// When the next missing image counts as lost; `None` if none is missing, or all losses are known.
#[must_use]
pub fn lost_at(observed: &Observed) -> Option<Timestamp> {
    losses(observed).map(|loss| loss.at).min()
}

/// An image that something misses.
struct Loss<'a> {
    /// When it counts.
    at: Timestamp,
    key: &'a String,
    reference: &'a String,
}

/// The images that a node or the sweep did not find. The sweep looks for those of every version, a node only for that of the
/// version in place.
fn losses(observed: &Observed) -> impl Iterator<Item = Loss<'_>> {
    let rollout = observed.rollout.as_ref();
    // Pods that are about to be replaced say nothing about the retry.
    let stays = |rollout: &&Rollout| {
        let life =
            rollout.version.as_ref().and_then(|version| observed.ledger.as_ref()?.versions.get(version));
        life.is_none_or(|life| life.restart == rollout.stamp)
    };
    let missing = rollout.filter(stays).and_then(|rollout| rollout.missing_image.as_ref());
    observed.records.values().filter_map(move |record: &Record| {
        let (key, reference) = (record.facts.key.as_ref()?, &record.image.as_ref()?.reference);
        let ledger = observed.ledger.as_ref()?;
        let replaced = ledger.builds.get(key).and_then(|attempts| attempts.replaced);
        let next = replaced.map(|replaced| replaced.next(observed.retry_base));
        let is_newer = |since: Timestamp| replaced.is_none_or(|replaced| since > replaced.at);
        let by_node = missing.filter(|missing| missing.reference == *reference).map(|missing| {
            let pulls = replaced.and_then(|replaced| replaced.at.saturating_add(PULLED_WITHIN).ok());
            let patience = pulls.filter(|_| !is_newer(missing.since));
            next.max(patience).unwrap_or(missing.since)
        });
        // An older look of the sweep says nothing about the new image.
        let seen = observed.listed_lost.get(reference).copied().filter(|seen| is_newer(*seen));
        let by_sweep = seen.map(|seen| next.unwrap_or(seen));
        let at = by_node.into_iter().chain(by_sweep).min()?;
        Some(Loss { at, key, reference })
    })
}

/// The registry does not have an image.
pub(super) fn gone(situation: &Situation<'_>) -> Option<Step> {
    let due = |loss: &Loss<'_>| loss.at <= situation.observed.now;
    let loss = losses(situation.observed).find(due)?;
    let attempts = situation.ledger.attempts(loss.key);
    let mut ledger = situation.ledger.clone();
    let reference = loss.reference.clone();
    ledger.builds.insert(loss.key.clone(), Attempts { lost: Some(reference), ..attempts.again() });
    situation.note(ledger)
}

/// Every record of the key has another image, or the registry has the same one again.
pub(super) fn back(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    let is_back = |(key, attempts): &(&String, &Attempts)| {
        let mut records = observed.records.values();
        let is_named = records.any(|record| record.facts.key.as_ref() == Some(*key) && record.lost.is_some());
        let same = || observed.image_of(key).map(|image| image.reference) == attempts.lost;
        attempts.lost.is_some() && (!is_named || same())
    };
    let (key, attempts) = situation.ledger.builds.iter().find(is_back)?;
    let job = observed.jobs.iter().find(|job| has_built(job, key, attempts.attempt));
    let replaced = job.and_then(|job| job.finished).map(|at| Replaced { count: count(attempts, at), at });
    let mut ledger: Ledger = situation.ledger.clone();
    let replaced = replaced.or(attempts.replaced);
    ledger.builds.insert(key.clone(), Attempts { lost: None, fault: None, replaced, ..attempts.clone() });
    situation.note(ledger)
}

fn count(attempts: &Attempts, at: Timestamp) -> u32 {
    let recent = attempts.replaced.filter(|last| at.duration_since(last.at) < KEPT);
    recent.map_or(0, |last| last.count) + 1
}

fn has_built(job: &BuildJob, key: &str, attempt: u32) -> bool {
    matches!(&job.of, BuildTarget::Key(of) if of == key)
        && job.attempt == attempt
        && matches!(job.state, JobState::Built(_))
}
