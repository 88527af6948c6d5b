//! Rows that begin, widen and shorten the memory: the first ledger, lookups, records, pruning.

use crate::crd::annotations::Verb;
use crate::memory::ledger::{Attempts, FORMAT, HandledRequest, Ledger, Lookup, VersionState};
use crate::memory::record::{Trigger, TriggerKind};
use crate::project::{Origin, Project};
use crate::version::{identity, short};

use super::super::observed::{Child, Observed};
use super::super::target::{Pin, previous};
use super::{Situation, Step, init};
use crate::protocol::target::BuildOf;

/// What becomes of requests that a new object carries.
const NOT_ACTED_ON: &str = "was there when the project was first looked at: not acted on";

/// There is no ledger. Port and live version are learned again from Service and Deployment, and the requests that are
/// there count as seen: a ledger that somebody deleted fires nothing twice.
pub(super) fn first_ledger(project: &Project, observed: &Observed) -> Step {
    let seen = |(verb, value): (&Verb, &String)| {
        (*verb, HandledRequest { value: value.clone(), outcome: NOT_ACTED_ON.to_owned(), earlier: vec![] })
    };
    let mut ledger = Ledger {
        format: FORMAT,
        object: project.resource_version,
        port: observed.service.as_ref().and_then(|service| service.port),
        handled: project.requests.iter().map(seen).collect(),
        ..Ledger::default()
    };
    if let Some((rollout, version)) =
        observed.rollout.as_ref().and_then(|rollout| Some((rollout, rollout.version.clone()?)))
    {
        // Pods of an older template may serve meanwhile: only what is Available as a whole was live.
        let life = if rollout.current && rollout.available && rollout.replicas > 0 {
            ledger.last_live = 1;
            VersionState {
                live: Some(1),
                ready_at: rollout.completed_at,
                restart: rollout.stamp.clone(),
                good_restart: rollout.stamp.clone(),
                ..VersionState::default()
            }
        } else {
            VersionState { restart: rollout.stamp.clone(), ..VersionState::default() }
        };
        let life = VersionState { initialized: true, ..life }; // Its pods are there.
        ledger.versions.insert(version, life);
    }
    if let Origin::LookedUp(of) = project.origin() {
        let trigger = Some(applied(project));
        ledger.lookup = Some(Lookup { of, number: fresh_number(observed), trigger, ..Lookup::default() });
    }
    Step::WriteLedger(Box::new(ledger))
}

/// The memory that a project of this name left behind goes on: what serves, what failed, the port. The requests on the new
/// object count as seen, as they do where nothing was left; its resourceVersion may be that of another cluster.
pub(super) fn inherit(project: &Project, ledger: &Ledger) -> Step {
    let mut ledger = Ledger { object: project.resource_version, ..ledger.clone() };
    for (verb, value) in &project.requests {
        if ledger.is_new(*verb, value) {
            ledger = ledger.with_handled(*verb, value, NOT_ACTED_ON);
        }
    }
    Step::AdoptLedger(Box::new(ledger))
}

/// Somebody changed the resource.
fn applied(project: &Project) -> Trigger {
    Trigger { cause: TriggerKind::Apply, by: project.authors.spec.clone() }
}

/// A number that no Job of a forgotten ledger carries, so that no old answer is taken for a new one.
fn fresh_number(observed: &Observed) -> u64 {
    let numbers = observed.jobs.iter().filter_map(|job| match &job.of {
        BuildOf::Lookup(number) => Some(*number),
        BuildOf::Key(_) => None,
    });
    numbers.max().unwrap_or(0) + 1
}

/// The spec names another branch or tag than the one that was looked up last.
pub(super) fn lookup_changed(situation: &Situation<'_>) -> Option<Step> {
    let Origin::LookedUp(of) = situation.project.origin() else { return None };
    if matches!(situation.target.pin, Pin::Known(_))
        || situation.ledger.lookup.as_ref().is_some_and(|lookup| lookup.of == of)
    {
        return None;
    }
    let last = situation.ledger.lookup.as_ref().map_or(0, |lookup| lookup.number);
    let number = (last + 1).max(fresh_number(situation.observed));
    let trigger = Some(applied(situation.project));
    let lookup = Lookup { of, number, answer: None, at: None, trigger, attempts: Attempts::default() };
    situation.note(Ledger { lookup: Some(lookup), ..situation.ledger.clone() })
}

/// Row 1: the version is remembered as soon as the digest of its source is known.
pub(super) fn record(situation: &Situation<'_>) -> Option<Step> {
    let from_spec = situation.target.from_spec.as_ref()?;
    let is_desired = situation.target.desired.as_ref() == Some(&from_spec.version);
    let known = situation.observed.records.contains_key(&from_spec.version)
        || situation.observed.refused(Child::Record);
    (is_desired && !known).then(|| Step::CreateRecord {
        version: from_spec.version.clone(),
        key: from_spec.key.clone(),
        source: from_spec.source.clone(),
        trigger: trigger(situation, &from_spec.source.digest),
        image: from_spec.image.clone(),
    })
}

/// Why there is a new version: of a source that is new, the lookup that found it tells; of one that another version was
/// made from, somebody changed the rest of the spec.
fn trigger(situation: &Situation<'_>, digest: &str) -> Trigger {
    let used = situation
        .observed
        .records
        .values()
        .any(|record| identity(&record.facts.source.digest) == identity(digest));
    let looked_up = match situation.project.origin() {
        Origin::LookedUp(_) if used => None,
        Origin::LookedUp(_) => situation.ledger.lookup.as_ref().and_then(|lookup| lookup.trigger.clone()),
        Origin::Fixed(_) | Origin::ConfigMap(_) => None,
    };
    looked_up.unwrap_or_else(|| applied(situation.project))
}

/// Deleting the project would leave behind a child without owner, and nobody would find one without labels.
pub(super) fn mark(situation: &Situation<'_>) -> Option<Step> {
    let mut unmarked = situation.observed.unmarked.iter();
    unmarked.find(|unmarked| !situation.observed.refused(unmarked.child)).cloned().map(Step::RepairMetadata)
}

/// Row 16: the record that falls out goes.
pub(super) fn forget_record(situation: &Situation<'_>) -> Option<Step> {
    falls_out(situation).map(|version| Step::DeleteRecord { version: version.to_owned() })
}

/// The oldest record beyond the limit, those that never served first; none that anything still needs.
pub(super) fn falls_out<'a>(situation: &'a Situation<'_>) -> Option<&'a str> {
    let records = &situation.observed.records;
    if records.len() <= situation.project.limit {
        return None;
    }
    let unprotected = records.values().filter(|record| !is_protected(situation, &record.facts.version));
    let age = |version: &str| (situation.ledger.life(version).live.unwrap_or(0), records[version].created);
    unprotected.map(|record| record.facts.version.as_str()).min_by_key(|version| age(version))
}

fn is_protected(situation: &Situation<'_>, version: &str) -> bool {
    let target = &situation.target;
    let is = |other: &Option<String>| other.as_deref() == Some(version);
    let hold = situation.ledger.hold.as_ref();
    let pinned = situation.project.pin.as_ref().is_some_and(|pin| version.starts_with(pin.as_str()));
    let key = situation.key_of(version);
    let has_set = situation.observed.sets.iter().any(|set| is(&set.version));
    let has_job = situation
        .observed
        .jobs
        .iter()
        .any(|job| matches!(&job.of, BuildOf::Key(of) if Some(of.as_str()) == key));
    let kept = previous(situation.ledger, situation.observed, target.in_place.as_deref());
    let begun = init::open(situation).is_some_and(|run| run.version == version);
    is(&target.in_place)
        || is(&target.version)
        || is(&target.desired)
        || target.from_spec.as_ref().is_some_and(|from_spec| from_spec.version == version)
        || hold.is_some_and(|hold| hold.left == version || hold.target == version)
        || is(&kept)
        || pinned
        || has_set
        || has_job
        || begun
}

/// The versions that can be gone back to, as a person reads them.
pub(super) fn choices(situation: &Situation<'_>) -> String {
    let can = |version: &&String| situation.built(version) && !situation.failed(version);
    let list: Vec<String> =
        situation.observed.records.keys().filter(can).map(|version| short(version)).collect();
    if list.is_empty() { "none yet".to_owned() } else { list.join(", ") }
}
