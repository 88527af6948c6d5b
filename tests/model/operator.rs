//! An operator in the model: it observes, decides and writes once, with the state of one pass. Each kind of object that
//! it sees may be stale on its own.

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
/// Reads the observed state from the cluster.
pub(crate) type Observe = fn(&Cluster) -> Observed;
/// Performs a write that was decided with the state in the last argument.
pub(crate) type Act = fn(&mut Cluster, &Step, &Cluster) -> Outcome;

/// The program under test: the real decision between the model's `observe` and `act`, or the same with a bug.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) observe: Observe,
    pub(crate) decide: Decide,
    pub(crate) act: Act,
}

impl Program {
    /// The program without a bug.
    pub(crate) const REAL: Self = Self { observe, decide, act };
}

/// The state of an operator.
#[derive(Default)]
pub(crate) struct Operator {
    /// Writes that the API server rejected in this pass.
    pub(crate) refusals: Vec<Refusal>,
    /// A decided step that is not written yet.
    pub(crate) decided: Option<Decided>,
    /// The state in which it found nothing to do; no watch wakes it until the state changes.
    rests_at: Option<u64>,
}

/// A step and the state it is based on.
#[derive(Clone)]
pub(crate) struct Decided {
    pub(crate) seen: Cluster,
    pub(crate) observed: Observed,
    pub(crate) step: Step,
    /// The seen state was no longer current.
    pub(crate) stale: bool,
}

/// The states that a read may return: past states, oldest first, and the current one.
pub(crate) struct Past<'a> {
    pub(crate) states: &'a VecDeque<Cluster>,
    pub(crate) now: &'a Cluster,
}

impl Operator {
    /// Observes the cluster and decides at most one step.
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

/// Whether time alone can create work: only a backoff does.
fn pauses(seen: &Cluster) -> bool {
    let outside =
        |life: &doce_operator::memory::ledger::VersionState| life.retry_at(super::cluster::PAUSE).is_some();
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

    /// Reads each kind of object at a different time.
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
