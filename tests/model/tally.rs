//! Counts what happened in the played lives, so that a test can tell what it covered.

use std::collections::BTreeMap;

use doce_operator::reconcile::decide::Step;

use super::act::Outcome;
use super::cluster::Cluster;
use super::event::KINDS;
use super::life::Pace;
use super::operator::Decided;
use super::play::Fate;

/// The counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lives: u64,
    counts: BTreeMap<String, u64>,
}

/// What happens in lives of any fate, in addition to the events.
const ALWAYS: [&str; 22] = [
    "two writes at the same time",
    "an adopted ledger",
    "several new requests in one read",
    "some pods of several ready",
    "a live version becomes unhealthy",
    "a version goes live",
    "a verdict",
    "an outside failure retried",
    "a return to the previous version",
    "a hold begins",
    "a restart reverted",
    "a write refused: Ledger",
    "a write refused: Record",
    "a write refused: Job",
    "a write refused: Deployment",
    "a write refused: Service",
    "an init command succeeded",
    "an init command failed",
    "a read of a namesake's children",
    "a read of a project being deleted",
    "the autoscaler moves during a rollout",
    "a ReplicaSet deleted",
];

/// What happens only if events come at any point.
const HASTY: [&str; 3] = ["a build ended", "a record deleted", "a write refused: Init"];

/// The same, if reads are stale.
const HASTY_AND_STALE: [&str; 1] = ["an object older than the ledger"];

/// What goes wrong with the operator.
const OF_FATE: [(Fate, &[&str]); 3] = [
    (
        Fate::Crashes,
        &["killed before a write", "killed after a write", "killed between two writes at the same time"],
    ),
    (Fate::StaleReads, &["a stale look", "a ledger that lost the race"]),
    (
        Fate::TwoOperators,
        &[
            "a stale look",
            "a ledger that lost the race",
            "a write after a write of the other operator",
            "killed before a write",
        ],
    ),
];

impl Tally {
    /// The tally of one life that has not started.
    pub(crate) fn of_one() -> Self {
        Self { lives: 1, ..Self::default() }
    }

    pub(crate) fn count(&mut self, what: &str) {
        match self.counts.get_mut(what) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(what.to_owned(), 1)),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// Everything that should have happened and never did.
    pub(crate) fn missing(&self, pace: Pace, fate: Fate) -> Vec<&'static str> {
        let of_fate =
            OF_FATE.into_iter().filter(|(of, _)| *of == fate).flat_map(|(_, what)| what.iter().copied());
        let stale = HASTY_AND_STALE.into_iter().filter(|_| fate.reads_are_stale());
        let hasty = HASTY.into_iter().chain(stale).filter(|_| pace == Pace::Hasty);
        let all = KINDS.into_iter().chain(ALWAYS).chain(hasty).chain(of_fate);
        all.filter(|what| !self.counts.contains_key(*what)).collect()
    }

    /// One line per count.
    pub(crate) fn table(&self) -> String {
        let line = |(what, count): (&String, &u64)| format!("{count:>8}  {what}\n");
        self.counts.iter().map(line).collect()
    }

    /// Counts a read of an operator.
    pub(crate) fn look(&mut self, seen: &Cluster, stale: bool) {
        let ledger = seen.memory();
        let new = seen.project.requests.iter().filter(|(verb, value)| ledger.is_new(**verb, value));
        if seen.ledger.is_some() && new.count() > 1 {
            self.count("several new requests in one read");
        }
        if stale {
            self.count("a stale look");
        }
        if ledger.object > seen.project.resource_version {
            self.count("an object older than the ledger");
        }
    }

    /// Counts an attempted write.
    pub(crate) fn write(&mut self, decided: &Decided, outcome: &Outcome, before: &Cluster, after: &Cluster) {
        match (outcome, &decided.step) {
            (Outcome::Refused(refusal), _) => self.count(&format!("a write refused: {:?}", refusal.child)),
            (Outcome::Conflict, Step::WriteLedger(_)) => self.count("a ledger that lost the race"),
            (Outcome::Done, Step::AdoptLedger(_)) => self.count("an adopted ledger"),
            (Outcome::Done, Step::DeleteReplicaSet { .. }) => self.count("a ReplicaSet deleted"),
            (Outcome::Done, Step::DeleteRecord { .. }) => self.count("a record deleted"),
            (Outcome::Done, Step::DeleteBuildJob { .. }) => self.count("a build ended"),
            (Outcome::Done, Step::ApplyDeployment(_)) => self.roll(before, after),
            (Outcome::Done, Step::WriteLedger(_)) => self.ledger(before, after),
            (Outcome::Conflict | Outcome::Done, _) => {}
        }
    }

    fn roll(&mut self, before: &Cluster, after: &Cluster) {
        let ledger = after.memory();
        let failed = before.in_place().is_some_and(|version| ledger.state(version).failed.is_some());
        if failed && before.in_place() != after.in_place() {
            self.count("a return to the previous version");
        }
    }

    fn ledger(&mut self, before: &Cluster, after: &Cluster) {
        let (before, after) = (before.memory(), after.memory());
        if after.hold.is_some() && before.hold != after.hold {
            self.count("a hold begins");
        }
        for (version, life) in &after.versions {
            let was = before.state(version);
            if life.failed.is_some() && was.failed.is_none() {
                self.count("a verdict");
            }
            if life.initialized && !was.initialized {
                self.count("an init command succeeded");
            }
            if life.failed.as_ref().is_some_and(|failed| failed.stage == "Init") && was.failed.is_none() {
                self.count("an init command failed");
            }
            if was.failed.is_some() && life.failed.is_none() && life.outside.is_some() {
                self.count("an outside failure retried");
            }
            if life.live.is_some() && life.live != was.live {
                self.count("a version goes live");
            }
            if was.restarting() && life.restart == was.good_restart && life.good_restart == was.good_restart {
                self.count("a restart reverted");
            }
        }
    }

    /// Counts the facts of a moment.
    pub(crate) fn moment(&mut self, before: &Cluster, after: &Cluster) {
        if let Some(deployment) = &after.deployment {
            let set = after.sets.get(&deployment.template);
            let ready = set.map_or(0, |set| set.pods.iter().filter(|pod| pod.ready.is_some()).count());
            if deployment.replicas > 1 && ready > 0 && ready < deployment.replicas {
                self.count("some pods of several ready");
            }
            let scaled = before.object.spec.replicas != after.object.spec.replicas;
            if scaled && !after.complete() {
                self.count("the autoscaler moves during a rollout");
            }
            let live = after.in_place().is_some_and(|version| after.memory().state(version).live.is_some());
            if live && before.complete() && !after.complete() && before.ready() > after.ready() {
                self.count("a live version becomes unhealthy");
            }
        }
        if !after.ghosts.is_empty() {
            self.count("a read of a namesake's children");
        }
        if after.project.deleting {
            self.count("a read of a project being deleted");
        }
    }
}
