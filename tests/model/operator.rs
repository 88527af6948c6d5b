//! An operator in the model: it looks, decides and writes once, with what it remembers within one pass. What it sees
//! may be old, each kind of object for itself.

use std::borrow::Cow;
use std::collections::VecDeque;

use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::{Child, Observed, Refusal};

use super::act::{Outcome, act};
use super::cluster::Cluster;
use super::dice::Dice;
use super::observe::observe;
use super::tally::Tally;

/// The decision.
pub(crate) type Decide = fn(&Project, &Observed) -> Option<Step>;
/// What is read off the cluster.
pub(crate) type Observe = fn(&Cluster) -> Observed;
/// A write that was decided by a look at the last argument.
pub(crate) type Act = fn(&mut Cluster, &Step, &Cluster) -> Outcome;

/// What is under test: the real decision between the model's eyes and hands, or the same with a bug.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) observe: Observe,
    pub(crate) decide: Decide,
    pub(crate) act: Act,
}

impl Program {
    /// Without a bug.
    pub(crate) const REAL: Self = Self { observe, decide, act };
}

/// See the module.
#[derive(Default)]
pub(crate) struct Operator {
    /// Writes that were refused in this pass.
    pub(crate) refusals: Vec<Refusal>,
    /// What it has decided and not written yet.
    pub(crate) decided: Option<Decided>,
    /// The state in which it found nothing to do: no watch tells it of anything until that changes.
    rests_at: Option<u64>,
}

/// A step with what it rests on.
pub(crate) struct Decided {
    pub(crate) seen: Cluster,
    pub(crate) observed: Observed,
    pub(crate) step: Step,
    /// It saw something that was not so any more.
    pub(crate) stale: bool,
}

/// The states a look may fall on: those that were, oldest first, and the one that is.
pub(crate) struct Past<'a> {
    pub(crate) states: &'a VecDeque<Cluster>,
    pub(crate) now: &'a Cluster,
}

impl Operator {
    /// Looks, and decides on at most one step.
    pub(crate) fn decide(
        &mut self,
        program: &Program,
        past: &Past<'_>,
        dice: Option<&mut Dice>,
        tally: &mut Tally,
    ) -> Option<Decided> {
        if self.rests_at == Some(past.now.changes) {
            return None;
        }
        let stale = dice.is_some();
        let (seen, observed) = match dice {
            None => (past.now.clone(), (program.observe)(past.now)),
            Some(dice) => past.blurred(program.observe, dice),
        };
        let observed = Observed { refusals: self.refusals.clone(), ..observed };
        tally.look(&seen, stale);
        let Some(step) = (program.decide)(&seen.project, &observed) else {
            let sure = !stale && self.refusals.is_empty() && !pauses(&seen);
            self.rests_at = sure.then_some(seen.changes);
            self.refusals.clear(); // The pass is over.
            return None;
        };
        Some(Decided { seen, observed, step, stale })
    }
}

/// Only a pause after a fault ends by the clock.
fn pauses(seen: &Cluster) -> bool {
    let outside = |life: &doce_operator::memory::ledger::VersionState| {
        life.tried_again_at(super::cluster::PAUSE).is_some()
    };
    if seen.memory().versions.values().any(outside) {
        return true;
    }
    let ledger = seen.memory();
    let lookup = ledger.lookup.iter().map(|lookup| &lookup.attempts);
    ledger.builds.values().chain(lookup).any(|attempts| attempts.fault.is_some())
}

impl Past<'_> {
    fn at(&self, nth: usize) -> &Cluster {
        self.states.get(nth).unwrap_or(self.now)
    }

    /// Each kind of object as it was at a time of its own.
    fn blurred(&self, observe: Observe, dice: &mut Dice) -> (Cluster, Observed) {
        let mut any = || dice.below(self.states.len() + 1);
        let object = self.at(any());
        let uid = object.project.uid.as_str();
        let view = |nth: usize| -> Cow<'_, Cluster> {
            let state = self.at(nth);
            if state.project.uid == uid { Cow::Borrowed(state) } else { Cow::Owned(state.seen_by(uid)) }
        };
        let mut seen = self.now.clone();
        seen.object.clone_from(&object.object);
        seen.project.clone_from(&object.project);
        let rollout = view(any());
        for child in [Child::Ledger, Child::Record, Child::Job, Child::Service] {
            seen.take(child, &view(any()));
        }
        seen.take(Child::Deployment, &rollout);
        let sets = observe(&view(any())).sets;
        let observed = Observed { rollout: observe(&rollout).rollout, sets, ..observe(&seen) };
        (seen, observed)
    }
}
