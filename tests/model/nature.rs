//! What nature makes of a source: whether it builds, whether it runs. It is the same whenever it is asked, so that two
//! plays of one life differ only in what the operator does.

use std::collections::{BTreeMap, BTreeSet};

/// How the pods of a version do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Ready soon, for good.
    Good,
    /// Never ready, and Kubernetes gives no reason.
    Bad,
    /// Never ready, and Kubernetes says that it cannot be.
    Hopeless,
    /// Ready, and gone a moment later, again and again.
    Crashing,
    /// Only the first pod becomes ready.
    Partial,
    /// Never ready for a cause outside of the version, which is gone at the third try.
    Away,
}

/// How a build ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Building {
    /// With an image.
    Good,
    /// With a verdict.
    Bad,
    /// With this many faults first.
    Faults(u32),
    /// Without a report this many times first.
    Lost(u32),
    /// The branch cannot be looked up this many times first.
    Unresolved(u32),
}

/// Commits and images that there are: all others behave like the first.
pub(crate) const SOURCES: u8 = 14;

/// Ways to run: the last makes any source bad.
pub(crate) const RUNS: u8 = 4;

/// The way to run that has an init command.
pub(crate) const RUN_WITH_INIT: u8 = 2;

/// How an init command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// Well.
    Good,
    /// Never well.
    Bad,
    /// For a cause outside of the version this many times first.
    Away(u32),
}

/// How the init command of source number `source` ends.
pub(crate) fn init(source: u8) -> Init {
    match source {
        1 => Init::Bad,
        2 => Init::Away(2),
        _ => Init::Good,
    }
}

/// The epoch with which nothing builds.
pub(crate) const BAD_EPOCH: u8 = 3;

/// How source number `source` builds with the settings of `epoch`.
pub(crate) fn building(source: u8, epoch: i64) -> Building {
    match source {
        _ if epoch == i64::from(BAD_EPOCH) => Building::Bad,
        4 => Building::Bad,
        7 | 12 => Building::Faults(2),
        8 => Building::Lost(1),
        11 => Building::Unresolved(2),
        _ => Building::Good,
    }
}

/// The commit of source number `source`.
pub(crate) fn commit(source: u8) -> String {
    format!("{:040x}", 0x00c0_ffee_0000_0000_u64 + u64::from(source))
}

/// The image digest of source number `source`.
pub(crate) fn image(source: u8) -> String {
    format!("sha256:{:064x}", 0x00ba_da55_0000_0000_u64 + u64::from(source))
}

/// The number of a commit or image.
pub(crate) fn source(digest: &str) -> u8 {
    digest
        .get(digest.len().saturating_sub(2)..)
        .and_then(|tail| u8::from_str_radix(tail, 16).ok())
        .unwrap_or(0)
}

/// What nature knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nature {
    /// Source that the branch, the tag and the `ConfigMap` have now.
    pub(crate) tip: u8,
    /// Source and run of each version that was ever recorded.
    pub(crate) origins: BTreeMap<String, (u8, u8)>,
    /// Versions that have become better or worse since.
    pub(crate) changed: BTreeMap<String, Health>,
    /// Versions whose new pods are born sick, while the ones that are there go on.
    pub(crate) sick_newborn: BTreeMap<String, Health>,
    /// Pods that the load asks for, where an autoscaler looks after them.
    pub(crate) load: Option<u8>,
    /// Faults that have happened, by what was tried.
    pub(crate) faults: BTreeMap<String, u32>,
    /// Versions whose init command ended well.
    pub(crate) initialized: BTreeSet<String>,
    /// Somebody deleted Jobs: what they did may be done again.
    pub(crate) swept: bool,
    /// Stamps that each version was rolled out with.
    pub(crate) tries: BTreeMap<String, BTreeSet<Option<String>>>,
}

impl Nature {
    /// How the pods of a version do now.
    pub(crate) fn health(&self, version: &str) -> Health {
        if let Some(changed) = self.changed.get(version) {
            return *changed;
        }
        match self.origins.get(version) {
            Some((source, run)) if *source == 5 || *run + 1 == RUNS => Health::Bad,
            Some((6, _)) => Health::Hopeless,
            Some((9, _)) => Health::Crashing,
            Some((10, _)) => Health::Partial,
            Some((13, _)) if self.tries.get(version).is_none_or(|tries| tries.len() < 3) => Health::Away,
            Some(_) => Health::Good,
            None => Health::Bad, // Somebody took the version off the template.
        }
    }

    /// A version whose pods, old and new, are well.
    pub(crate) fn is_good(&self, version: &str) -> bool {
        let well = self.health(version) == Health::Good && !self.sick_newborn.contains_key(version);
        well && self.init_of(version) != Some(Init::Bad)
    }

    /// How the init command of a version ends; none where it has none.
    pub(crate) fn init_of(&self, version: &str) -> Option<Init> {
        let (source, run) = self.origins.get(version)?;
        (*run == RUN_WITH_INIT).then(|| init(*source))
    }

    /// Whether this try meets one of the first `count` faults.
    pub(crate) fn faulty(&mut self, what: String, count: u32) -> bool {
        let met = self.faults.entry(what).or_default();
        *met += 1;
        *met <= count
    }
}
