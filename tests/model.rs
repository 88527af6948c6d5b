//! The model test: the real decision plays random lives of a project against a small model of the cluster. It needs no
//! cluster, network or clock. Assumptions about Kubernetes are in `model/`, demands in `model/oracles`.
//!
//! `MODEL_SEQUENCES` sets how many lives the test plays, `MODEL_SEED` which ones. A failure prints the seed, the
//! shortest life that still fails, and every write of it.

mod model {
    pub(crate) mod act;
    pub(crate) mod chance;
    pub(crate) mod cluster;
    pub(crate) mod demands;
    pub(crate) mod deployment;
    pub(crate) mod dice;
    pub(crate) mod end;
    pub(crate) mod event;
    pub(crate) mod happen;
    pub(crate) mod jobs;
    pub(crate) mod life;
    pub(crate) mod namesake;
    pub(crate) mod nature;
    pub(crate) mod observe;
    pub(crate) mod operator;
    pub(crate) mod oracles;
    pub(crate) mod other_hands;
    pub(crate) mod planted;
    pub(crate) mod play;
    pub(crate) mod server;
    pub(crate) mod settled;
    pub(crate) mod tally;
    pub(crate) mod told;
}

use model::life::{Pace, Search};
use model::operator::Program;
use model::play::Fate;

#[test]
fn calm_lives_end_the_same_with_and_without_crashes() {
    Search::asked(Pace::Calm, Fate::Crashes).finds_nothing(Program::REAL);
}

#[test]
fn calm_lives_end_the_same_with_and_without_stale_reads() {
    Search::asked(Pace::Calm, Fate::StaleReads).finds_nothing(Program::REAL);
}

#[test]
fn calm_lives_end_the_same_with_one_operator_and_with_two() {
    Search::asked(Pace::Calm, Fate::TwoOperators).finds_nothing(Program::REAL);
}

#[test]
fn hasty_lives_lose_nothing_when_the_operator_crashes() {
    Search::asked(Pace::Hasty, Fate::Crashes).finds_nothing(Program::REAL);
}

#[test]
fn hasty_lives_lose_nothing_when_reads_are_stale() {
    Search::asked(Pace::Hasty, Fate::StaleReads).finds_nothing(Program::REAL);
}

#[test]
fn hasty_lives_lose_nothing_when_two_operators_write() {
    Search::asked(Pace::Hasty, Fate::TwoOperators).finds_nothing(Program::REAL);
}
