//! A life: how the project starts and which events follow; and the search for a life that violates an oracle. This
//! module does not know what is right.

use std::cell::RefCell;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::chance::{calm_gap, event, hasty_gap, replicas, source};
use super::event::{Event, Gap, Source};
use super::operator::Program;
use super::play::{Fate, Play, Violation};
use super::tally::Tally;
use super::told::told;

/// The start of a project and its events.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) source: Source,
    pub(crate) replicas: u8,
    pub(crate) events: Vec<(Event, Gap)>,
    /// The seed that decides when things happen between the events.
    pub(crate) dice: u64,
}

/// Whether the project settles between the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It does. The test then compares it with a smooth play of the same life.
    Calm,
    /// Events come at any point.
    Hasty,
}

/// Which lives the search plays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) pace: Pace,
    pub(crate) fate: Fate,
    /// The maximum number of lives.
    pub(crate) lives: u32,
    pub(crate) seed: u64,
    /// The maximum number of steps to shorten a failing life.
    pub(crate) shrink: u32,
}

/// A life that violates an oracle.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) oracle: &'static str,
    pub(crate) life: Life,
    /// The number of lives played until this one.
    pub(crate) lives: u64,
    pub(crate) story: String,
}

/// The default number of lives.
const LIVES: u32 = 240;
/// The default seed.
const SEED: u64 = 1;

impl Search {
    /// The search with the number of lives and the seed from the environment.
    pub(crate) fn asked(pace: Pace, fate: Fate) -> Self {
        let text = |name: &str| std::env::var(name).ok();
        let lives = text("MODEL_SEQUENCES").and_then(|text| text.parse().ok()).unwrap_or(LIVES);
        let seed = text("MODEL_SEED").and_then(|text| text.parse().ok()).unwrap_or(SEED);
        Self { pace, fate, lives, seed, shrink: 1000 }
    }

    /// Asserts that no life violates an oracle. With the default number and seed, everything that can happen must
    /// happen.
    pub(crate) fn finds_nothing(self, program: Program) {
        let Self { pace, fate, lives, seed, .. } = self;
        match self.run(program) {
            Ok(tally) => {
                println!("{lives} lives, {pace:?}, {fate:?}, MODEL_SEED={seed}\n{}", tally.table());
                let usual = lives >= LIVES && seed == SEED;
                let missing = if usual { tally.missing(pace, fate) } else { vec![] };
                assert!(missing.is_empty(), "never happened in {lives} lives: {missing:?}");
            }
            Err(found) => {
                panic!("{} (MODEL_SEED={seed} MODEL_SEQUENCES={lives})\n{}", found.oracle, found.story)
            }
        }
    }

    /// Searches for a life that violates an oracle, and shortens it.
    pub(crate) fn run(self, program: Program) -> Result<Tally, Box<Found>> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        let config = Config {
            cases: self.lives,
            failure_persistence: None,
            max_shrink_iters: self.shrink,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let tally = RefCell::new(Tally::default());
        for life in told().into_iter().filter(|_| self.pace == Pace::Hasty || self.fate == Fate::Smooth) {
            if self.play(&life, program, &mut tally.borrow_mut()).is_err() {
                return Err(Box::new(self.tell(life, program, tally.into_inner().lives)));
            }
        }
        let failed_after = RefCell::new(None);
        let outcome = runner.run(&self.life(), |life| {
            let result = self.play(&life, program, &mut tally.borrow_mut());
            result.map_err(|violation| {
                failed_after.borrow_mut().get_or_insert(tally.borrow().lives);
                TestCaseError::fail(violation.oracle)
            })
        });
        match outcome {
            Ok(()) => Ok(tally.into_inner()),
            Err(TestError::Fail(_, life)) => {
                Err(Box::new(self.tell(life, program, failed_after.into_inner().unwrap_or_default())))
            }
            Err(TestError::Abort(why)) => panic!("the search was aborted: {why}"),
        }
    }

    fn life(self) -> impl Strategy<Value = Life> {
        let gap = match self.pace {
            Pace::Calm => calm_gap().boxed(),
            Pace::Hasty => hasty_gap().boxed(),
        };
        let events = prop::collection::vec((event(), gap), 1..14);
        let life = (source(), replicas(), events, any::<u64>().no_shrink());
        life.prop_map(move |(source, replicas, events, dice)| {
            let events = if self.pace == Pace::Calm { apart(events, self.fate) } else { events };
            let events = if self.fate.reads_are_stale() { without_thieves(events) } else { events };
            Life { source, replicas, events, dice }
        })
    }

    /// Plays one life.
    pub(crate) fn play(self, life: &Life, program: Program, tally: &mut Tally) -> Result<(), Violation> {
        let mut play = Play::new(life, self.fate, self.fate, program, false);
        let ends = play.run(&life.events);
        tally.add(&play.tally);
        let ends = ends?;
        if self.pace == Pace::Hasty || self.fate == Fate::Smooth {
            return Ok(());
        }
        let smooth = Play::new(life, Fate::Smooth, self.fate, program, false).run(&life.events)?;
        match ends.iter().zip(&smooth).position(|(end, smooth)| end != smooth) {
            Some(at) => {
                let (this, that) = (ends[at].differs_from(&smooth[at]), smooth[at].differs_from(&ends[at]));
                let what = format!("settled state {at}:\n{this}\n--- in the smooth play:\n{that}");
                Err(Violation { oracle: "both_plays_end_the_same", what })
            }
            None => Ok(()),
        }
    }

    fn tell(self, life: Life, program: Program, lives: u64) -> Found {
        let Err(violation) = self.play(&life, program, &mut Tally::default()) else {
            return Found { oracle: "a_life_plays_the_same_twice", story: format!("{life:?}"), life, lives };
        };
        let mut story = format!("{}\n{life:?}\n", violation.what);
        for fate in if self.pace == Pace::Calm { vec![Fate::Smooth, self.fate] } else { vec![self.fate] } {
            let mut play = Play::new(&life, fate, self.fate, program, true);
            let result = play.run(&life.events);
            let _ = write!(story, "--- {fate:?}\n{}\n", play.story.unwrap_or_default().join("\n"));
            if result.is_err() {
                break;
            }
        }
        Found { oracle: violation.oracle, life, lives, story }
    }
}

/// Separates events that do not take effect at once: chance would decide whether they come before or after another
/// event. With stale reads this applies to all events, because a read may see one event without the other.
fn apart(mut events: Vec<(Event, Gap)>, fate: Fate) -> Vec<(Event, Gap)> {
    for at in 0..events.len() {
        let plain = |at: usize| events.get(at).is_some_and(|(event, _)| event.takes_effect_at_once());
        if !plain(at) || !plain(at + 1) || fate.reads_are_stale() {
            events[at].1 = Gap::Settle;
        }
    }
    events
}

/// Works around a known limit: the operator restores a lost Service from the ledger, and a stale ledger may not know
/// the port. If another Service took the first candidate at that moment, the project would get a different port.
fn without_thieves(mut events: Vec<(Event, Gap)>) -> Vec<(Event, Gap)> {
    for (event, _) in &mut events {
        if let Event::LoseService(taken) = event {
            *taken = false;
        }
    }
    events
}
