//! One play of a life: events happen, the operator makes passes, time advances, and every oracle checks. The dice
//! decide only when things happen and what goes wrong with the operator, never what nature does.

mod turns;

use std::collections::VecDeque;

use super::cluster::Cluster;
use super::demands::Demand;
use super::dice::Dice;
use super::end::End;
use super::event::{Event, Gap};
use super::happen::applied;
use super::life::Life;
use super::operator::{Operator, Program};
use super::oracles::{self, Watch};
use super::settled;
use super::tally::Tally;

/// What goes wrong with the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Smooth,
    /// It is killed before or after any write, and is down for a while.
    Crashes,
    /// Its reads may be stale, each kind of object on its own.
    StaleReads,
    /// There are two, each with its own stale reads. One may stop between read and write, and then continue or crash.
    TwoOperators,
}

impl Fate {
    /// Whether reads may be stale.
    pub(crate) fn reads_are_stale(self) -> bool {
        matches!(self, Self::StaleReads | Self::TwoOperators)
    }
}

/// The result of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// The operator wrote something.
    Wrote,
    /// The API server rejected the write, or another writer was faster.
    Tried,
    /// An operator has decided a step and not written it yet.
    Waits,
    /// There is nothing to do.
    Idle,
}

/// A violation of an oracle.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The name of the oracle.
    pub(crate) oracle: &'static str,
    /// What it saw.
    pub(crate) what: String,
}

/// Ticks without any change after which a project counts as settled: longer than the deadline with the guard, and
/// longer than the backoffs that occur.
const QUIET: u32 = 14;
/// The number of writes within which a project must settle.
const WRITES: usize = 70;
/// The number of failed writes in a row after which an operator must pause.
const TRIES: u32 = 40;
/// The number of ticks within which a project must settle.
const TICKS: usize = 400;
/// How many states old a read may be.
const LAG: usize = 5;

/// A play.
pub(crate) struct Play {
    cluster: Cluster,
    program: Program,
    operators: Vec<Operator>,
    fate: Fate,
    /// The fate of the play with which this one is compared, or its own.
    compared: Fate,
    dice: Dice,
    past: VecDeque<Cluster>,
    watch: Watch,
    pub(crate) tally: Tally,
    /// A log of everything that happened, if requested.
    pub(crate) story: Option<Vec<String>>,
}

impl Play {
    /// A play with a newly applied project.
    pub(crate) fn new(life: &Life, fate: Fate, compared: Fate, program: Program, tell: bool) -> Self {
        let operators = if fate == Fate::TwoOperators { 2 } else { 1 };
        Self {
            cluster: applied(life.source, life.replicas),
            program,
            operators: (0..operators).map(|_| Operator::default()).collect(),
            fate,
            compared,
            dice: Dice::new(life.dice),
            past: VecDeque::new(),
            watch: Watch::default(),
            tally: Tally::of_one(),
            story: tell.then(Vec::new),
        }
    }

    /// Plays all events; returns the state each time the project has settled.
    pub(crate) fn run(&mut self, events: &[(Event, Gap)]) -> Result<Vec<End>, Violation> {
        self.settle()?;
        let mut ends = vec![End::of(&self.cluster, self.compared)];
        let mut rested = true;
        for (token, (event, gap)) in events.iter().enumerate() {
            let demand = Demand::of(&self.cluster, *event).filter(|_| rested && *gap == Gap::Settle);
            self.tally.count(event.kind());
            self.cluster.happen(*event, token);
            self.watch.event(&self.cluster);
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
            let wrote = matches!(self.pass()?, Pass::Wrote | Pass::Tried);
            if !wrote || self.dice.one_in(2) {
                self.tick()?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Violation> {
        let (mut quiet, mut writes, mut tries, mut ticks) = (0, 0, 0, 0);
        while quiet < QUIET || self.operators.iter().any(|operator| operator.decided.is_some()) {
            let changes = self.cluster.changes;
            match self.pass()? {
                Pass::Wrote => writes += 1,
                Pass::Tried => tries += 1,
                Pass::Waits => {
                    ticks += 1;
                    tries = 0;
                    self.tick()?;
                }
                Pass::Idle => {
                    ticks += 1;
                    quiet += 1;
                    tries = 0;
                    self.tick()?;
                }
            }
            if self.cluster.changes != changes {
                quiet = 0;
            }
            if writes > WRITES * self.operators.len() || tries > TRIES || ticks > TICKS * self.operators.len()
            {
                let what = format!("not settled after {writes} writes, {tries} failures and {ticks} ticks");
                return Err(Violation { oracle: "the_project_settles", what });
            }
        }
        settled::check(&self.cluster, &mut self.watch)
    }

    fn tick(&mut self) -> Result<(), Violation> {
        let before = self.cluster.clone();
        self.cluster.tick();
        self.past.pop_front();
        self.tally.moment(&before, &self.cluster);
        if self.cluster.changes != before.changes {
            self.remember();
            self.tell(|_| "tick".to_owned());
        }
        oracles::moment(&before, &self.cluster, &mut self.watch)
    }

    fn remember(&mut self) {
        if self.fate.reads_are_stale() {
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
