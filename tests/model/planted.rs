//! Planted bugs: each is the real program with one defect, and an oracle must catch it. The product cannot reach them.
//! `MODEL_PLANTED` selects the bugs whose name contains it.

mod children;
mod init;
mod memory;
mod requests;
mod rollouts;

use std::fmt::Write as _;

use doce_operator::memory::ledger::Ledger;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::Observed;

use super::life::{Found, Pace, Search};
use super::operator::{Decide, Program};
use super::play::Fate;
use super::tally::Tally;

/// A bug and the oracles that should catch it.
#[derive(Clone, Copy)]
struct Planting {
    name: &'static str,
    /// The bug does harm only with stale reads or with two operators.
    stale: bool,
    program: Program,
    by: &'static [&'static str],
}

impl Planting {
    const fn of(name: &'static str, decide: Decide, by: &'static [&'static str]) -> Self {
        Self { name, stale: false, program: Program { decide, ..Program::REAL }, by }
    }

    const fn stale(self) -> Self {
        Self { stale: true, ..self }
    }

    /// A life that violates an oracle, and the number of lives played for it.
    fn hunt(&self) -> Result<(Search, Box<Found>), u64> {
        let mut lives = 0;
        let calm = [(Pace::Calm, Fate::Smooth), (Pace::Hasty, Fate::Crashes)];
        let hasty = [(Pace::Hasty, Fate::StaleReads), (Pace::Hasty, Fate::TwoOperators)];
        for (pace, fate) in calm.into_iter().filter(|_| !self.stale).chain(hasty) {
            let search = Search { pace, fate, lives: 1200, seed: 7, shrink: 0 };
            match search.run(self.program) {
                Ok(tally) => lives += tally.lives,
                Err(mut found) => {
                    found.lives += lives;
                    return Ok((search, found));
                }
            }
        }
        Err(lives)
    }

    /// A line of the table, and whether an intended oracle caught the bug.
    fn line(&self) -> (String, bool) {
        let (search, found) = match self.hunt() {
            Ok(found) => found,
            Err(lives) => return (format!("{:<62} NOT CAUGHT in {lives} lives", self.name), false),
        };
        // A violation that the program without the bug also shows in this life says nothing about the bug.
        let false_alarm = search.play(&found.life, Program::REAL, &mut Tally::default()).is_err();
        let meant = self.by.contains(&found.oracle);
        let mut line =
            format!("{:<62} {:<48} {:>4}  {:?}", self.name, found.oracle, found.lives, search.fate);
        if !meant || false_alarm {
            let _ = write!(line, "  NOT MEANT (false alarm: {false_alarm})\n{}", found.story);
        }
        (line, meant && !false_alarm)
    }
}

/// The decision's step with an edited ledger.
fn edited(step: Option<Step>, edit: impl FnOnce(&mut Ledger)) -> Option<Step> {
    match step {
        Some(Step::WriteLedger(mut ledger)) => {
            edit(&mut ledger);
            Some(Step::WriteLedger(ledger))
        }
        other => other,
    }
}

/// The decision for an observed state with an edited ledger.
fn misremembered(project: &Project, observed: &Observed, edit: impl FnOnce(&mut Ledger)) -> Option<Step> {
    let mut observed = observed.clone();
    if let Some(ledger) = &mut observed.ledger {
        edit(ledger);
    }
    decide(project, &observed)
}

#[test]
fn every_planted_bug_is_caught_by_an_intended_oracle() {
    let all =
        [requests::PLANTED, memory::PLANTED, rollouts::PLANTED, children::PLANTED, init::PLANTED].concat();
    assert!(all.len() >= 24, "only {} bugs are planted", all.len());
    let name = std::env::var("MODEL_PLANTED").unwrap_or_default();
    let planted: Vec<&Planting> = all.iter().filter(|planting| planting.name.contains(&name)).collect();
    let hunt = |planting: &&Planting| {
        let (line, caught) = planting.line();
        println!("{line}");
        caught
    };
    let half = planted.len().div_ceil(2).max(1);
    let caught: usize = std::thread::scope(|scope| {
        let hunts = |chunk: &[&Planting]| chunk.iter().filter(|planting| hunt(planting)).count();
        let threads: Vec<_> = planted.chunks(half).map(|chunk| scope.spawn(move || hunts(chunk))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a hunt ends")).sum()
    });
    println!("{caught} of {} caught", planted.len());
    assert!(caught == planted.len(), "{caught} of {} caught", planted.len());
}
