//! The behaviour of each source: whether it builds and whether it runs. It is deterministic, so two plays of one life
//! differ only in what the operator does.

use std::collections::{BTreeMap, BTreeSet};

/// How the pods of a version behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Ready soon, and stays ready.
    Good,
    /// Never ready, and Kubernetes gives no reason.
    Bad,
    /// Never ready, and Kubernetes reports that it cannot become ready.
    Hopeless,
    /// Becomes ready and crashes a moment later, again and again.
    Crashing,
    /// Only the first pod becomes ready.
    Partial,
    /// Not ready for an outside cause, which disappears at the third try.
    Away,
}

/// How a build ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Building {
    /// With an image.
    Good,
    /// With a verdict.
    Bad,
    /// With this many faults first, then with an image.
    Faults(u32),
    /// Without a report this many times first, then with an image.
    Lost(u32),
    /// The lookup of the branch fails this many times first.
    Unresolved(u32),
}

/// The number of commits and images: all others behave like the first.
pub(crate) const SOURCES: u8 = 14;

/// The number of ways to run: the last one makes any source bad.
pub(crate) const RUNS: u8 = 4;

/// The way to run that has an init command.
pub(crate) const RUN_WITH_INIT: u8 = 2;

/// How an init command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// With success.
    Good,
    /// With a failure, always.
    Bad,
    /// With an outside failure this many times first.
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

/// The epoch in which every build fails.
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

/// The state of nature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nature {
    /// The current source of the branch, the tag and the `ConfigMap`.
    pub(crate) tip: u8,
    /// Source and run of each version that ever had a record.
    pub(crate) origins: BTreeMap<String, (u8, u8)>,
    /// Versions that became better or worse later.
    pub(crate) changed: BTreeMap<String, Health>,
    /// Versions whose new pods are unhealthy while existing pods keep running.
    pub(crate) sick_newborn: BTreeMap<String, Health>,
    /// The pods that the load requires, if an autoscaler manages the project.
    pub(crate) load: Option<u8>,
    /// Number of faults so far, by operation.
    pub(crate) faults: BTreeMap<String, u32>,
    /// Versions whose init command succeeded.
    pub(crate) initialized: BTreeSet<String>,
    /// A user deleted Jobs: their work may be done again.
    pub(crate) swept: bool,
    /// Images that are gone from the registry.
    pub(crate) gone: BTreeSet<String>,
    /// The registry lost an image at some time: it is built again only if a pod needed it then.
    pub(crate) lossy: bool,
    /// The stamps that each version was rolled out with.
    pub(crate) tries: BTreeMap<String, BTreeSet<Option<String>>>,
}

impl Nature {
    /// How the pods of a version behave now.
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
            None => Health::Bad, // A user removed the version from the template.
        }
    }

    /// Whether all pods of the version, old and new, are healthy.
    pub(crate) fn is_good(&self, version: &str) -> bool {
        let well = self.health(version) == Health::Good && !self.sick_newborn.contains_key(version);
        well && self.init_of(version) != Some(Init::Bad)
    }

    /// How the init command of a version ends; `None` if it has none.
    pub(crate) fn init_of(&self, version: &str) -> Option<Init> {
        let (source, run) = self.origins.get(version)?;
        (*run == RUN_WITH_INIT).then(|| init(*source))
    }

    /// Whether this attempt is one of the first `count`, which fail.
    pub(crate) fn faulty(&mut self, what: String, count: u32) -> bool {
        let met = self.faults.entry(what).or_default();
        *met += 1;
        *met <= count
    }
}
