//! The state of a settled project, without what may differ between two plays of one life: times, sequence numbers and
//! resourceVersions.

use doce_operator::memory::ledger::{Attempts, Fault, HandledRequest, Ledger};
use doce_operator::memory::record::Record;
use doce_operator::reconcile::target::previous;

use super::cluster::{Cluster, Set, Template, timestamp};
use super::observe::observe;
use super::play::Fate;

/// The state, one line per fact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End(Vec<String>);

impl End {
    /// The end of this state. After stale reads, or once the ledger was lost, timing decides what the ledger stores
    /// besides the running and the previous version.
    pub(crate) fn of(cluster: &Cluster, fate: Fate) -> Self {
        let place = cluster.deployment.as_ref().map(|deployment| (&deployment.template, deployment.replicas));
        let mut facts =
            vec![format!("{place:?}"), format!("{:?}", cluster.service.map(|service| service.edited))];
        if cluster.nature.lossy {
            return Self(vec![]); // Timing decides whether a pod needed a lost image, and so what was built again.
        }
        if cluster.forgotten {
            return Self(facts);
        }
        let mut ledger = cluster.memory();
        let kept = previous(&ledger, &observe(cluster), cluster.in_place());
        let hold = ledger.hold.clone();
        let told = |version: &String| {
            let named = hold.as_ref().is_some_and(|hold| hold.target == *version || hold.left == *version);
            !fate.reads_are_stale()
                || cluster.in_place() == Some(version)
                || kept.as_ref() == Some(version)
                || named
        };
        let records = cluster.records.iter().filter(|(version, _)| told(version));
        let of_record =
            |key: &String| records.clone().any(|(_, record)| record.facts.key.as_ref() == Some(key));
        ledger.versions.retain(|version, _| cluster.records.contains_key(version) && told(version));
        ledger.builds.retain(|key, _| of_record(key));
        let ledger = masked(ledger);
        facts.push(sets(cluster));
        let image = |record: &Record| fate.reads_are_stale() || record.image.is_some();
        facts.extend(records.map(|(version, record)| format!("record {version}: {}", image(record))));
        facts.extend(ledger.versions.iter().map(|(version, life)| format!("{version}: {life:?}")));
        facts.extend(ledger.builds.iter().map(|(key, attempts)| format!("build {key}: {attempts:?}")));
        let outcome =
            |seen: &HandledRequest| if fate.reads_are_stale() { String::new() } else { seen.outcome.clone() };
        facts.extend(
            ledger.handled.iter().map(|(verb, seen)| format!("{verb:?} {:?}: {}", seen.value, outcome(seen))),
        );
        facts.push(format!("{:?} {:?}", ledger.hold, ledger.lookup));
        Self(facts)
    }

    /// The facts that only `self` has.
    pub(crate) fn differs_from(&self, other: &Self) -> String {
        let only: Vec<&str> =
            self.0.iter().filter(|fact| !other.0.contains(fact)).map(String::as_str).collect();
        only.join("\n")
    }

    /// Deployment and ReplicaSets on one line, for people.
    pub(crate) fn line(cluster: &Cluster) -> String {
        let name = |template: &Template| {
            let version = template.version.as_deref().map_or("-", |version| &version[..6]);
            let stamp = template.stamp.as_deref().map_or(String::new(), |stamp| format!("+{}", &stamp[..4]));
            let (edits, restarts) = (usize::from(template.edit), usize::from(template.kubectl));
            format!("{version}{stamp}{}{}", "*".repeat(edits), "'".repeat(restarts))
        };
        let place = cluster.deployment.as_ref().map(|deployment| {
            let seen = if deployment.observed == deployment.generation { "" } else { " unseen" };
            let over = if deployment.timed_out { " over" } else { "" };
            format!("{} x{}{seen}{over}", name(&deployment.template), deployment.replicas)
        });
        let sets: Vec<String> = cluster
            .sets
            .iter()
            .map(|(of, set)| format!("{} {}/{}", name(of), ready(set), set.pods.len()))
            .collect();
        format!("{} | {}", place.unwrap_or_default(), sets.join(", "))
    }
}

/// The ReplicaSets and their ready pods. If the version in place is not good, timing decides them, so they are left
/// out.
fn sets(cluster: &Cluster) -> String {
    let sets: Vec<_> = cluster.sets.iter().map(|(template, set)| (template, ready(set))).collect();
    let well =
        cluster.complete() && cluster.in_place().is_some_and(|version| cluster.nature.is_good(version));
    if well { format!("{sets:?}") } else { String::new() }
}

fn ready(set: &Set) -> usize {
    set.pods.iter().filter(|pod| pod.ready.is_some()).count()
}

/// Replaces sequence numbers by their position in the order, and times by a constant.
fn masked(mut ledger: Ledger) -> Ledger {
    let mut order: Vec<u64> = ledger.versions.values().filter_map(|life| life.live).collect();
    order.sort_unstable();
    let place = |number: u64| u64::try_from(order.partition_point(|live| *live < number)).unwrap_or(0);
    ledger.versions.values_mut().for_each(|life| life.live = life.live.map(place));
    ledger.versions.retain(|_, life| *life != doce_operator::memory::ledger::VersionState::default());
    ledger.hold.iter_mut().for_each(|hold| hold.since = place(hold.since + 1));
    ledger.last_live = place(ledger.last_live);
    ledger.object = None;
    let outside = |life: &mut doce_operator::memory::ledger::VersionState| {
        life.outside.iter_mut().for_each(|outside| outside.at = timestamp(0));
    };
    ledger.versions.values_mut().for_each(outside);
    ledger.builds.values_mut().for_each(timeless);
    if let Some(lookup) = &mut ledger.lookup {
        timeless(&mut lookup.attempts);
        let number = std::mem::take(&mut lookup.number); // An older object may have requested a lookup too.
        lookup.answer.iter_mut().for_each(|answer| answer.number = u64::from(answer.number == number));
    }
    ledger.builds.retain(|_, attempts| *attempts != Attempts::default());
    ledger
}

fn timeless(attempts: &mut Attempts) {
    attempts.replaced = None;
    attempts.fault = attempts.fault.take().map(|fault| Fault { at: timestamp(0), ..fault });
}
