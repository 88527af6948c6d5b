//! The turns of the operators: each reads, decides, writes, is killed, or stops between read and write. The dice decide
//! when.

use doce_operator::reconcile::decide::alongside;

use super::super::act::Outcome;
use super::super::operator::{Decided, Operator, Past};
use super::super::oracles::{self, Write};
use super::{Fate, Pass, Play, Violation};

impl Play {
    /// One of the operators reads and writes at most once; an operator without work is idle.
    pub(super) fn pass(&mut self) -> Result<Pass, Violation> {
        let first = self.dice.below(self.operators.len());
        for nth in 0..self.operators.len() {
            match self.turn((first + nth) % self.operators.len())? {
                Pass::Idle => {}
                other => return Ok(other),
            }
        }
        Ok(Pass::Idle)
    }

    fn turn(&mut self, which: usize) -> Result<Pass, Violation> {
        if let Some(decided) = self.operators[which].decided.take() {
            if self.dice.one_in(8) {
                self.tally.count("killed before a write");
                self.operators[which] = Operator::default();
                return Ok(Pass::Waits);
            }
            if self.dice.one_in(2) {
                self.operators[which].decided = Some(decided);
                return Ok(Pass::Waits);
            }
            self.tally.count("a write after a write of the other operator");
            return self.write(which, &decided);
        }
        let stale = self.fate.reads_are_stale() && !self.past.is_empty() && self.dice.one_in(3);
        let past = Past { states: &self.past, now: &self.cluster };
        let dice = stale.then_some(&mut self.dice);
        let Some(decided) = self.operators[which].decide(&self.program, &past, dice, &mut self.tally) else {
            return Ok(Pass::Idle);
        };
        if self.fate == Fate::TwoOperators && self.dice.one_in(3) {
            self.operators[which].decided = Some(decided);
            return Ok(Pass::Waits);
        }
        if self.fate == Fate::Crashes && self.dice.one_in(8) {
            self.tally.count("killed before a write");
            self.tell(|_| format!("LOST {:?}", decided.step));
            self.operators[which] = Operator::default();
            return Ok(Pass::Tried);
        }
        let written = self.write(which, &decided)?;
        if self.fate == Fate::Crashes && self.dice.one_in(3) {
            self.tally.count("killed after a write");
            self.operators[which] = Operator::default();
            for _ in 0..self.dice.below(8) {
                self.tick()?;
            }
        }
        Ok(written)
    }

    /// Writes the step, and what may be written alongside it: after it, before it, or only one of the two.
    fn write(&mut self, which: usize, decided: &Decided) -> Result<Pass, Violation> {
        let also = alongside(&decided.seen.project, &decided.observed, &decided.step);
        let Some(also) = also.map(|step| Decided { step, ..decided.clone() }) else {
            return self.write_one(which, decided);
        };
        self.tally.count("two writes at the same time");
        let (first, second) = if self.dice.one_in(2) { (decided, &also) } else { (&also, decided) };
        let passed = self.write_one(which, first)?;
        if self.fate == Fate::Crashes && self.dice.one_in(4) {
            self.tally.count("killed between two writes at the same time");
            self.operators[which] = Operator::default();
            return Ok(passed);
        }
        self.write_one(which, second)
    }

    fn write_one(&mut self, which: usize, decided: &Decided) -> Result<Pass, Violation> {
        let before = self.cluster.clone();
        let outcome = (self.program.act)(&mut self.cluster, &decided.step, &decided.seen);
        self.tell(|_| {
            let stale = if decided.stale { "STALE " } else { "" };
            let lost = if outcome == Outcome::Done { String::new() } else { format!(" -> {outcome:?}") };
            format!("{which} {stale}{:?}{lost}", decided.step)
        });
        self.tally.write(decided, &outcome, &before, &self.cluster);
        match outcome {
            Outcome::Refused(refusal) => {
                self.operators[which].refusals.push(refusal);
                return Ok(Pass::Tried);
            }
            Outcome::Conflict => {
                self.operators[which].refusals.clear(); // The pass is over.
                return Ok(Pass::Tried);
            }
            Outcome::Done => {}
        }
        self.remember();
        let write = Write {
            before: &before,
            seen: &decided.seen,
            observed: &decided.observed,
            step: &decided.step,
            after: &self.cluster,
        };
        oracles::check(&write, &mut self.watch).map(|()| Pass::Wrote)
    }
}
