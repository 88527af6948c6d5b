//! The model test: random lives of a project, played by the real decision against a small model of the cluster. No
//! cluster, no network and no clock; what it assumes of Kubernetes is in `model/`, what it demands in `model/oracles`.
//!
//! `MODEL_SEQUENCES` sets how many lives are played, `MODEL_SEED` which ones; a failure prints the seed, the shortest
//! life that still fails and every write of it.

mod model {
    pub(crate) mod act;
    pub(crate) mod cluster;
    pub(crate) mod demands;
    pub(crate) mod deployment;
    pub(crate) mod dice;
    pub(crate) mod end;
    pub(crate) mod event;
    pub(crate) mod happen;
    pub(crate) mod jobs;
    pub(crate) mod life;
    pub(crate) mod nature;
    pub(crate) mod observe;
    pub(crate) mod oracles;
    pub(crate) mod planted;
    pub(crate) mod play;
    pub(crate) mod settled;
}

use doce_operator::reconcile::decide::decide;
use model::life::{Pace, check};
use model::play::Fate;

#[test]
fn calm_lives_end_the_same_with_and_without_crashes() {
    check(Pace::Calm, Fate::Crashes, decide);
}

#[test]
fn calm_lives_end_the_same_with_and_without_stale_reads() {
    check(Pace::Calm, Fate::StaleReads, decide);
}

#[test]
fn hasty_lives_lose_nothing_when_the_operator_crashes() {
    check(Pace::Hasty, Fate::Crashes, decide);
}

#[test]
fn hasty_lives_lose_nothing_when_reads_are_stale() {
    check(Pace::Hasty, Fate::StaleReads, decide);
}
