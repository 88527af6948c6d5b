//! Rows 11 and 12: which build Jobs there should be.

use crate::desired::names;
use crate::memory::ledger::{Attempts, Lookup};
use crate::version::identity;

use super::super::observed::Child;
use super::super::target::Asked;
use super::{Situation, Step};
use crate::protocol::target::BuildOf;

/// Whether a Job of this kind and attempt still serves a wish.
pub(super) fn is_wanted(situation: &Situation<'_>, of: &BuildOf, attempt: u32) -> bool {
    let goes_on = |attempts: &Attempts| attempts.failed.is_none() && attempts.attempt == attempt;
    match of {
        BuildOf::Lookup(number) => {
            situation.pending().is_some_and(|lookup| lookup.number == *number && goes_on(&lookup.attempts))
        }
        BuildOf::Key(key) => key_to_build(situation) == Some(key) && goes_on(&situation.ledger.attempts(key)),
    }
}

/// The build key of the wanted version, if it has no image and the spec still says how to make one.
fn key_to_build<'a>(situation: &'a Situation<'_>) -> Option<&'a str> {
    let Asked { wanted, yielded, .. } = &situation.asked;
    let wanted = wanted.as_deref().filter(|wanted| !situation.built(wanted))?;
    let key = situation.key_of(wanted)?;
    (yielded.as_ref()?.key.as_deref() == Some(key)).then_some(key)
}

/// Row 11: a build that is no longer wanted, or was cancelled, or waits while the project is stopped. Cancelled is said only once its pod is gone.
pub(super) fn unwanted(situation: &Situation<'_>) -> Option<Step> {
    let unwanted = |job: &&super::super::observed::BuildJob| {
        let waits_in_vain =
            situation.project.stopped() && job.state == super::super::observed::JobState::Queued;
        job.state.is_active() && (waits_in_vain || !is_wanted(situation, &job.of, job.attempt))
    };
    situation.world.jobs.iter().find(unwanted).map(|job| Step::EndBuild { job: job.name.clone() })
}

/// Row 12: a lookup or a build is due: no verdict, no Job of this attempt, the pause after a fault is over.
pub(super) fn due(situation: &Situation<'_>) -> Option<Step> {
    if situation.project.stopped() || situation.world.refused(Child::Job) {
        return None;
    }
    let lookup =
        situation.pending().map(|lookup| (BuildOf::Lookup(lookup.number), lookup.attempts.clone(), None));
    let key = key_to_build(situation).map(|key| {
        let wanted = situation.asked.wanted.as_ref().and_then(|wanted| situation.world.records.get(wanted));
        let digest = wanted.map(|record| record.facts.source.digest.clone());
        (BuildOf::Key(key.to_owned()), situation.ledger.attempts(key), digest)
    });
    let (of, attempts, digest) =
        [lookup, key].into_iter().flatten().find(|(of, attempts, _)| is_due(situation, of, attempts))?;
    let reason = reason(situation, &of, &attempts);
    Some(Step::Build { of, attempt: attempts.attempt, digest, reason })
}

fn is_due(situation: &Situation<'_>, of: &BuildOf, attempts: &Attempts) -> bool {
    let world = situation.world;
    let paused = attempts.fault.as_ref().is_some_and(|fault| fault.left(world.retry_base, world.now) > 0);
    let there = world.jobs.iter().any(|job| job.of == *of && job.attempt == attempts.attempt);
    attempts.failed.is_none() && !paused && !there
}

/// Why somebody wants this build, for a person.
fn reason(situation: &Situation<'_>, of: &BuildOf, attempts: &Attempts) -> &'static str {
    let yielded = situation.asked.yielded.as_ref();
    let same_source = |digest: &String| {
        let wanted = situation.asked.wanted.as_ref();
        let others = situation.world.records.iter().filter(|(version, _)| Some(*version) != wanted);
        others.into_iter().any(|(_, record)| identity(&record.facts.source.digest) == identity(digest))
    };
    let polls = || situation.ledger.lookup.as_ref().is_some_and(Lookup::polls);
    match of {
        BuildOf::Lookup(_) if polls() => names::POLLED,
        _ if attempts.attempt > 0 => "Retried",
        _ if situation.world.records.values().all(|record| record.image.is_none()) => "FirstBuild",
        BuildOf::Key(_) if yielded.is_some_and(|yielded| same_source(&yielded.source.digest)) => {
            "SettingsChanged"
        }
        _ => "SourceChanged",
    }
}
