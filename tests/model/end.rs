//! The state of a project at rest, without what may differ between two plays of one life: times, running numbers and
//! resourceVersions.

use doce_operator::ledger::{Attempts, Fault, Ledger};

use super::cluster::{Cluster, Set, Template, timestamp};

/// See the module: one line a fact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End(Vec<String>);

impl End {
    /// Of this state.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let mut facts = vec![rollout(cluster), format!("{:?}", cluster.service)];
        facts.extend(cluster.records.iter().map(|(version, record)| format!("record {version}: {}", record.image.is_some())));
        facts.extend(cluster.jobs.values().filter(|job| job.state.is_active()).map(|job| format!("{:?} {:?}", job.of, job.state)));
        let mut ledger = cluster.memory();
        // What belongs to no record any more is swept out with the next write, whenever that is.
        let recorded = |key: &String| cluster.records.values().any(|record| record.facts.key.as_ref() == Some(key));
        ledger.builds.retain(|key, _| recorded(key));
        ledger.versions.retain(|version, _| cluster.records.contains_key(version));
        let ledger = masked(ledger);
        facts.extend(ledger.versions.iter().map(|(version, life)| format!("{version}: {life:?}")));
        facts.extend(ledger.builds.iter().map(|(key, attempts)| format!("build {key}: {attempts:?}")));
        facts.extend(ledger.seen.iter().map(|(verb, seen)| format!("{verb:?}: {seen:?}")));
        facts.push(format!("{:?} {:?}", ledger.hold, ledger.lookup));
        Self(facts)
    }

    /// What is so here and not there.
    pub(crate) fn differs_from(&self, other: &Self) -> String {
        let only: Vec<&str> = self.0.iter().filter(|fact| !other.0.contains(fact)).map(String::as_str).collect();
        only.join("\n")
    }

    /// Deployment and ReplicaSets on one line, for a person.
    pub(crate) fn line(cluster: &Cluster) -> String {
        let name = |template: &Template| {
            let version = template.version.as_deref().map_or("-", |version| &version[..6]);
            let stamp = template.stamp.as_deref().map_or(String::new(), |stamp| format!("+{}", &stamp[..4]));
            format!("{version}{stamp}{}", "*".repeat(usize::from(template.edit)))
        };
        let place = cluster.deployment.as_ref().map(|deployment| {
            let seen = if deployment.observed == deployment.generation { "" } else { " unseen" };
            let over = if deployment.timed_out { " over" } else { "" };
            format!("{} x{}{seen}{over}", name(&deployment.template), deployment.replicas)
        });
        let sets: Vec<String> = cluster.sets.iter().map(|(of, set)| format!("{} {}/{}", name(of), ready(set), set.pods.len())).collect();
        format!("{} | {}", place.unwrap_or_default(), sets.join(", "))
    }
}

/// Where the version in place is not complete, whose pods are left and which are empty is a matter of time.
fn rollout(cluster: &Cluster) -> String {
    let place = cluster.deployment.as_ref().map(|deployment| (&deployment.template, deployment.replicas));
    let sets: Vec<_> = cluster.sets.iter().map(|(template, set)| (template, ready(set))).collect();
    if cluster.complete() { format!("{place:?} {sets:?}") } else { format!("{place:?} {} ready", cluster.ready()) }
}

fn ready(set: &Set) -> usize {
    set.pods.iter().filter(|pod| pod.ready.is_some()).count()
}

/// Running numbers become places in the order, times become the same.
fn masked(mut ledger: Ledger) -> Ledger {
    let mut order: Vec<u64> = ledger.versions.values().filter_map(|life| life.live).collect();
    order.sort_unstable();
    let place = |number: u64| u64::try_from(order.partition_point(|live| *live < number)).unwrap_or(0);
    ledger.versions.values_mut().for_each(|life| life.live = life.live.map(place));
    ledger.versions.retain(|_, life| *life != doce_operator::ledger::Life::default());
    ledger.hold.iter_mut().for_each(|hold| hold.since = place(hold.since + 1));
    ledger.last = place(ledger.last);
    ledger.builds.values_mut().for_each(timeless);
    ledger.lookup.iter_mut().for_each(|lookup| timeless(&mut lookup.attempts));
    ledger.builds.retain(|_, attempts| *attempts != Attempts::default());
    ledger
}

fn timeless(attempts: &mut Attempts) {
    attempts.fault = attempts.fault.take().map(|fault| Fault { at: timestamp(0), ..fault });
}
