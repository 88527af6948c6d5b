//! Images that are gone from their registry: noted as soon as a node says so, and built again under the same version.

use jiff::{SignedDuration, Timestamp};

use crate::memory::ledger::{Attempts, Ledger, Replaced};
use crate::memory::record::Record;

use super::super::observed::{BuildJob, JobState, Observed};
use super::{Situation, Step};
use crate::protocol::build_target::BuildTarget;

/// Time that a pod has to pull an image that was built again while it waited. The kubelet tries again after at most five
/// minutes, and until then it says that the image is missing.
const PULLED_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// A registry that kept an image for so long is no longer one that loses it again and again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// When the missing image of the version in place counts as lost; `None` if none is missing, or its loss is known.
#[must_use]
pub fn lost_at(observed: &Observed) -> Option<Timestamp> {
    let ledger = observed.ledger.as_ref()?;
    let (key, since) = missing(observed)?;
    let Some(replaced) = ledger.builds.get(key).and_then(|attempts| attempts.replaced) else {
        return Some(since);
    };
    let next = replaced.next(observed.retry_base);
    let pulls = || replaced.at.saturating_add(PULLED_WITHIN).unwrap_or(next);
    Some(if since > replaced.at { next } else { next.max(pulls()) })
}

/// The key of the image that nodes do not find, and since when they look for it.
fn missing(observed: &Observed) -> Option<(&String, Timestamp)> {
    let missing = observed.rollout.as_ref()?.missing_image.as_ref()?;
    let names =
        |record: &&Record| record.image.as_ref().is_some_and(|image| image.reference == missing.reference);
    let key = observed.records.values().find(names)?.facts.key.as_ref()?;
    Some((key, missing.since))
}

/// A node cannot pull the image of the version in place, because the registry does not have it.
pub(super) fn gone(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    lost_at(observed).filter(|at| *at <= observed.now)?;
    let (key, _) = missing(observed)?;
    let reference = observed.rollout.as_ref()?.missing_image.as_ref()?.reference.clone();
    let attempts = situation.ledger.attempts(key);
    let mut ledger = situation.ledger.clone();
    ledger.builds.insert(key.clone(), Attempts { lost: Some(reference), ..attempts.again() });
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
