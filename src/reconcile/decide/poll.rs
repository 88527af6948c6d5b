//! Polling a source (`interval`): when a poll is due, and what takes precedence over it.

use crate::desired::names;
use crate::memory::ledger::{Attempts, Ledger};
use crate::memory::record::{Trigger, TriggerKind};
use crate::project::{DigestSource, Project};
use crate::version::build_key;

use super::super::observed::Observed;
use super::super::target::target;
use super::{Situation, Step};

/// Seconds between two polls of a source whose last state does not build: the longest backoff after a fault, because
/// each poll may build it again and fail.
const BROKEN: i64 = 600;

/// Seconds until the next poll of the source. `None` if the source has no interval, or if something takes precedence: a
/// lookup, a build that is due or running, a cancelled build, a pin, a stop.
#[must_use]
pub fn left(project: &Project, observed: &Observed) -> Option<i64> {
    let interval = project.interval.filter(|_| !project.stopped() && project.pin.is_none())?;
    let DigestSource::LookedUp(of) = project.origin() else { return None };
    let ledger = observed.ledger.as_ref()?;
    let lookup = ledger.lookup.as_ref().filter(|lookup| lookup.of == of)?;
    let answer = lookup.answer.as_ref().filter(|answer| answer.number >= lookup.number)?;
    // A build that can wait for all others does not stop the polls meanwhile.
    if observed.jobs.iter().any(|job| job.is_in_the_way(names::REBUILT_AHEAD)) {
        return None;
    }
    let key = build_key(&answer.source.digest, &project.settings);
    let attempts = ledger.attempts(&key);
    let pause = match observed.image_of(&key) {
        Some(_) => interval,
        // A newer commit may build. The poll itself tries to build the lost one.
        None if attempts.lost.is_some() && !attempts.cancelled => interval.max(BROKEN),
        None if attempts.failed.is_some() && !attempts.cancelled => interval.max(BROKEN),
        None if attempts.failed.is_none() && target(project, observed).held => interval, // The hold prevents its build.
        None => return None,
    };
    let since = lookup.at.map_or(pause, |at| observed.now.as_second() - at.as_second());
    Some((pause - since).max(0))
}

/// The interval is over, so another lookup starts.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    left(situation.project, situation.observed).filter(|left| *left == 0)?;
    let mut lookup = situation.ledger.lookup.clone()?;
    lookup.number += 1;
    lookup.trigger = Some(Trigger { cause: TriggerKind::Poll, by: None });
    lookup.attempts = Attempts::default();
    situation.note(Ledger { lookup: Some(lookup), ..situation.ledger.clone() })
}
