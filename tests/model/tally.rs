//! Counts what happened in the lives that were played, so that a test can tell what it has seen and what it has not.

use std::collections::BTreeMap;

use doce_operator::reconcile::decide::Step;

use super::act::Outcome;
use super::cluster::Cluster;
use super::event::KINDS;
use super::life::Pace;
use super::operator::Decided;
use super::play::Fate;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lives: u64,
    counts: BTreeMap<String, u64>,
}

/// What happens in lives of any fate, besides the events.
const ALWAYS: [&str; 21] = [
    "a memory taken over",
    "several new requests at one look",
    "some pods of several ready",
    "a version that was live falls ill",
    "a version goes live",
    "a verdict",
    "a cause outside is tried again",
    "a return to the version before",
    "a hold begins",
    "a restart taken back",
    "a write refused: Memory",
    "a write refused: Record",
    "a write refused: Job",
    "a write refused: Deployment",
    "a write refused: Service",
    "an init command ended well",
    "an init command failed",
    "a look at what a namesake left",
    "a look at a project that goes",
    "the autoscaler moves during a rollout",
    "a ReplicaSet deleted",
];

/// What happens only where events come at any point.
const HASTY: [&str; 3] = ["a build ended", "a record deleted", "a write refused: Init"];

/// The same, where reads are stale.
const HASTY_AND_STALE: [&str; 1] = ["an object older than the ledger"];

/// What goes wrong with the operator.
const OF_FATE: [(Fate, &[&str]); 3] = [
    (Fate::Crashes, &["killed before a write", "killed after a write"]),
    (Fate::StaleReads, &["a stale look", "a ledger that lost the race"]),
    (
        Fate::TwoOperators,
        &[
            "a stale look",
            "a ledger that lost the race",
            "a write after one of the other operator",
            "killed before a write",
        ],
    ),
];

impl Tally {
    /// Of one life that has not begun.
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

    /// What never happened and should have.
    pub(crate) fn missing(&self, pace: Pace, fate: Fate) -> Vec<&'static str> {
        let of_fate =
            OF_FATE.into_iter().filter(|(of, _)| *of == fate).flat_map(|(_, what)| what.iter().copied());
        let stale = HASTY_AND_STALE.into_iter().filter(|_| fate.reads_are_stale());
        let hasty = HASTY.into_iter().chain(stale).filter(|_| pace == Pace::Hasty);
        let all = KINDS.into_iter().chain(ALWAYS).chain(hasty).chain(of_fate);
        all.filter(|what| !self.counts.contains_key(*what)).collect()
    }

    /// Every count on a line.
    pub(crate) fn table(&self) -> String {
        let line = |(what, count): (&String, &u64)| format!("{count:>8}  {what}\n");
        self.counts.iter().map(line).collect()
    }

    /// A look of an operator.
    pub(crate) fn look(&mut self, seen: &Cluster, stale: bool) {
        let ledger = seen.memory();
        let new = seen.project.requests.iter().filter(|(verb, value)| ledger.is_new(**verb, value));
        if seen.ledger.is_some() && new.count() > 1 {
            self.count("several new requests at one look");
        }
        if stale {
            self.count("a stale look");
        }
        if ledger.object > seen.project.resource_version {
            self.count("an object older than the ledger");
        }
    }

    /// A write that was tried.
    pub(crate) fn write(&mut self, decided: &Decided, outcome: &Outcome, before: &Cluster, after: &Cluster) {
        match (outcome, &decided.step) {
            (Outcome::Refused(refusal), _) => self.count(&format!("a write refused: {:?}", refusal.child)),
            (Outcome::Conflict, Step::WriteLedger(_)) => self.count("a ledger that lost the race"),
            (Outcome::Done, Step::AdoptLedger(_)) => self.count("a memory taken over"),
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
            self.count("a return to the version before");
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
                self.count("an init command ended well");
            }
            if life.failed.as_ref().is_some_and(|failed| failed.stage == "Init") && was.failed.is_none() {
                self.count("an init command failed");
            }
            if was.failed.is_some() && life.failed.is_none() && life.outside.is_some() {
                self.count("a cause outside is tried again");
            }
            if life.live.is_some() && life.live != was.live {
                self.count("a version goes live");
            }
            if was.restarting() && life.restart == was.good_restart && life.good_restart == was.good_restart {
                self.count("a restart taken back");
            }
        }
    }

    /// What there is to see at any moment.
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
                self.count("a version that was live falls ill");
            }
        }
        if !after.ghosts.is_empty() {
            self.count("a look at what a namesake left");
        }
        if after.project.deleting {
            self.count("a look at a project that goes");
        }
    }
}
