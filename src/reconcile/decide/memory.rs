//! Rows that create, extend and prune the memory: the first ledger, lookups, records.

use crate::crd::annotations::RequestKind;
use crate::memory::ledger::{Attempts, FORMAT, HandledRequest, Ledger, Lookup, VersionState};
use crate::memory::record::{Trigger, TriggerKind};
use crate::project::{DigestSource, Project};
use crate::version::{identity, short};

use super::super::observed::{Child, Observed};
use super::super::target::{Pin, previous};
use super::{Situation, Step, init};
use crate::protocol::build_target::BuildTarget;

/// Outcome of requests on an object that the operator sees for the first time.
const NOT_ACTED_ON: &str = "ignored: it was already set when the operator first saw the project";

/// Creates the ledger if there is none. Port and live version come from Service and Deployment. Present requests count
/// as handled, so a deleted ledger repeats none of them.
pub(super) fn first_ledger(project: &Project, observed: &Observed) -> Step {
    let seen = |(verb, value): (&RequestKind, &String)| {
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
        // Pods of an older template may still serve: only a fully Available Deployment counts as live.
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
        let life = VersionState { initialized: true, ..life }; // Its pods exist, so its init command succeeded.
        ledger.versions.insert(version, life);
    }
    if let DigestSource::LookedUp(of) = project.origin() {
        let trigger = Some(applied(project));
        ledger.lookup = Some(Lookup { of, number: fresh_number(observed), trigger, ..Lookup::default() });
    }
    Step::WriteLedger(Box::new(ledger))
}

/// Continues the ledger that a deleted project of this name left behind: the live version, verdicts, the port. Requests
/// on the new object count as handled, as with a new ledger. The stored resourceVersion may come from another cluster.
pub(super) fn adopt_orphaned_ledger(project: &Project, ledger: &Ledger) -> Step {
    let mut ledger = Ledger { object: project.resource_version, ..ledger.clone() };
    for (verb, value) in &project.requests {
        if ledger.is_new(*verb, value) {
            ledger = ledger.with_handled(*verb, value, NOT_ACTED_ON);
        }
    }
    Step::AdoptLedger(Box::new(ledger))
}

/// The trigger of a changed spec.
fn applied(project: &Project) -> Trigger {
    Trigger { cause: TriggerKind::Apply, by: project.field_managers.spec.clone() }
}

/// A lookup number that no existing Job has, so no old answer counts as new.
fn fresh_number(observed: &Observed) -> u64 {
    let numbers = observed.jobs.iter().filter_map(|job| match &job.of {
        BuildTarget::Lookup(number) => Some(*number),
        BuildTarget::Key(_) => None,
    });
    numbers.max().unwrap_or(0) + 1
}

/// The spec names another branch or tag than the last lookup.
pub(super) fn lookup_changed(situation: &Situation<'_>) -> Option<Step> {
    let DigestSource::LookedUp(of) = situation.project.origin() else { return None };
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

/// The record is created as soon as the digest of the source is known.
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

/// What caused a new version. For a new source: the trigger of the lookup that found it. For a source that another
/// version already uses: a change of the rest of the spec.
fn trigger(situation: &Situation<'_>, digest: &str) -> Trigger {
    let used = situation
        .observed
        .records
        .values()
        .any(|record| identity(&record.facts.source.digest) == identity(digest));
    let looked_up = match situation.project.origin() {
        DigestSource::LookedUp(_) if used => None,
        DigestSource::LookedUp(_) => {
            situation.ledger.lookup.as_ref().and_then(|lookup| lookup.trigger.clone())
        }
        DigestSource::Fixed(_) | DigestSource::ConfigMap(_) => None,
    };
    looked_up.unwrap_or_else(|| applied(situation.project))
}

/// Restores labels and owner. A child without owner would outlive the project, and watches do not see one without
/// labels. If something strips them after every repair, the next one waits.
pub(super) fn repair_metadata(situation: &Situation<'_>) -> Option<Step> {
    let observed = situation.observed;
    let mut lost_metadata = observed.lost_metadata.iter();
    lost_metadata
        .find(|lost_metadata| !observed.refused(lost_metadata.child) && !observed.repair_waits(lost_metadata))
        .cloned()
        .map(Step::RepairMetadata)
}

/// Deletes the record that exceeds the limit.
pub(super) fn delete_record(situation: &Situation<'_>) -> Option<Step> {
    falls_out(situation).map(|version| Step::DeleteRecord { version: version.to_owned() })
}

/// The oldest record beyond the limit, never-live versions first. Skips records that are still needed.
pub(super) fn falls_out<'a>(situation: &'a Situation<'_>) -> Option<&'a str> {
    let records = &situation.observed.records;
    if records.len() <= situation.project.limit {
        return None;
    }
    let unprotected = records.values().filter(|record| !is_protected(situation, &record.facts.version));
    let age = |version: &str| (situation.ledger.state(version).live.unwrap_or(0), records[version].created);
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
        .any(|job| matches!(&job.of, BuildTarget::Key(of) if Some(of.as_str()) == key));
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

/// The versions that a rollback can choose, as text for people.
pub(super) fn choices(situation: &Situation<'_>) -> String {
    let can = |version: &&String| situation.intact(version) && !situation.failed(version);
    let list: Vec<String> =
        situation.observed.records.keys().filter(can).map(|version| short(version)).collect();
    if list.is_empty() { "none yet".to_owned() } else { list.join(", ") }
}
