//! One life, played: events come, the operator passes, time goes by, and every oracle looks on. The dice here only say
//! when things happen and what goes wrong with the operator, never what nature does.

use std::collections::VecDeque;

use doce_operator::project::Project;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::world::World;

use super::act::act;
use super::cluster::Cluster;
use super::demands::Demand;
use super::dice::Dice;
use super::end::End;
use super::event::{Event, Gap};
use super::happen::applied;
use super::life::Life;
use super::observe::observe;
use super::oracles::{self, Watch, Write};
use super::settled;

/// The function under test.
pub(crate) type Decide = fn(&Project, &World) -> Option<Step>;

/// What goes wrong with the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Smooth,
    /// It is killed after any write, or before it, and stays away for a while.
    Crashes,
    /// What it reads may be older than what there is, each kind of object for itself.
    StaleReads,
}

/// An oracle has spoken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Name of the oracle.
    pub(crate) oracle: &'static str,
    /// What it saw.
    pub(crate) what: String,
}

/// Ticks without any change after which everything is quiet: longer than the deadline with the guard, and than the
/// pauses that come up.
const QUIET: u32 = 14;
/// Writes in which a project must come to rest.
const WRITES: u32 = 70;
/// Ticks in which a project must come to rest.
const TICKS: u32 = 400;
/// How many states back a read may lie.
const LAG: usize = 5;

/// A play.
pub(crate) struct Play {
    cluster: Cluster,
    decide: Decide,
    fate: Fate,
    /// The fate of the play that this one's rests are compared with, or its own.
    compared: Fate,
    dice: Dice,
    past: VecDeque<Cluster>,
    watch: Watch,
    /// Everything that happened, if somebody wants to read it.
    pub(crate) story: Option<Vec<String>>,
}

impl Play {
    /// A project that was applied a moment ago.
    pub(crate) fn new(life: &Life, fate: Fate, compared: Fate, decide: Decide, tell: bool) -> Self {
        Self {
            cluster: applied(life.source),
            decide,
            fate,
            compared,
            dice: Dice::new(life.dice),
            past: VecDeque::new(),
            watch: Watch::default(),
            story: tell.then(Vec::new),
        }
    }

    /// Plays all events; the state at each rest.
    pub(crate) fn run(&mut self, events: &[(Event, Gap)]) -> Result<Vec<End>, Violation> {
        self.settle()?;
        let mut ends = vec![End::of(&self.cluster, self.compared)];
        let mut rested = true;
        for (token, (event, gap)) in events.iter().enumerate() {
            let demand = Demand::of(&self.cluster, *event).filter(|_| rested && *gap == Gap::Settle);
            self.cluster.happen(*event, token);
            self.watch.granted = None;
            self.remember();
            self.tell(|cluster| format!("== {event:?} {:?}", cluster.project.requests));
            let jobs = self.watch.builds;
            match gap {
                Gap::None => {}
                Gap::Passes(passes) => self.pass_by(*passes)?,
                Gap::Settle => {
                    self.settle()?;
                    ends.push(End::of(&self.cluster, self.compared));
                }
            }
            rested = *gap == Gap::Settle;
            if let Some(demand) = demand {
                demand.check(&self.cluster, self.watch.builds - jobs)?;
            }
        }
        if !rested {
            self.settle()?;
            ends.push(End::of(&self.cluster, self.compared));
        }
        Ok(ends)
    }

    fn pass_by(&mut self, passes: u8) -> Result<(), Violation> {
        for _ in 0..passes {
            let wrote = self.pass()?;
            if !wrote || self.dice.one_in(2) {
                self.tick()?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Violation> {
        let (mut quiet, mut writes, mut ticks) = (0, 0, 0);
        while quiet < QUIET {
            let changes = self.cluster.changes;
            if self.pass()? {
                writes += 1;
            } else {
                ticks += 1;
                self.tick()?;
            }
            quiet = if self.cluster.changes == changes { quiet + 1 } else { 0 };
            if writes > WRITES || ticks > TICKS {
                let what = format!("not at rest after {writes} writes and {ticks} ticks");
                return Err(Violation { oracle: "it_comes_to_rest", what });
            }
        }
        settled::check(&self.cluster, &mut self.watch)
    }

    /// One look, at most one write.
    fn pass(&mut self) -> Result<bool, Violation> {
        let (seen, world) = self.look();
        let Some(step) = (self.decide)(&seen.project, &world) else { return Ok(false) };
        let before = self.cluster.clone();
        let lost = self.fate == Fate::Crashes && self.dice.one_in(8);
        self.tell(|_| format!("{}{step:?}", if lost { "LOST " } else { "" }));
        if !lost {
            act(&mut self.cluster, &step, seen.ledger.as_ref().map(|(_, version)| *version));
            self.remember();
            let write =
                Write { before: &before, seen: &seen, world: &world, step: &step, after: &self.cluster };
            oracles::check(&write, &mut self.watch)?;
        }
        if self.fate == Fate::Crashes && self.dice.one_in(3) {
            for _ in 0..self.dice.below(8) {
                self.tick()?;
            }
        }
        Ok(true)
    }

    fn look(&mut self) -> (Cluster, World) {
        let mut seen = self.cluster.clone();
        if self.fate != Fate::StaleReads || self.past.is_empty() || !self.dice.one_in(3) {
            let world = observe(&seen);
            return (seen, world);
        }
        // The object is never older than the ledger: one that carries an earlier request would make it again.
        let now = self.past.len();
        let object = self.dice.below(now + 1);
        let ledger = self.dice.below(object + 1);
        seen.project.clone_from(&self.at(object).project);
        seen.ledger.clone_from(&self.at(ledger).ledger);
        let mut any = || self.dice.below(now + 1);
        let (records, jobs, service, rollout, sets) = (any(), any(), any(), any(), any());
        seen.records = self.at(records).records.clone();
        seen.jobs = self.at(jobs).jobs.clone();
        seen.service = self.at(service).service;
        seen.sets = self.at(rollout).sets.clone();
        seen.deployment.clone_from(&self.at(rollout).deployment);
        let (rollout, sets) = (observe(self.at(rollout)).rollout, observe(self.at(sets)).sets);
        let world = World { rollout, sets, ..observe(&seen) };
        self.tell(|_| "STALE".to_owned());
        (seen, world)
    }

    /// The state so far back, or that of now.
    fn at(&self, nth: usize) -> &Cluster {
        self.past.get(nth).unwrap_or(&self.cluster)
    }

    fn tick(&mut self) -> Result<(), Violation> {
        let before = self.cluster.clone();
        self.cluster.tick();
        self.past.pop_front();
        if self.cluster.changes != before.changes {
            self.remember();
            self.tell(|_| "tick".to_owned());
        }
        oracles::moment(&before, &self.cluster, &mut self.watch)
    }

    fn remember(&mut self) {
        if self.fate == Fate::StaleReads {
            self.past.push_back(self.cluster.clone());
            if self.past.len() > LAG {
                self.past.pop_front();
            }
        }
    }

    fn tell(&mut self, what: impl FnOnce(&Cluster) -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!(
                "{:>4} s  {}\n        {}",
                self.cluster.clock,
                what(&self.cluster),
                End::line(&self.cluster)
            ));
        }
    }
}
