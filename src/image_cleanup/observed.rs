//! Observed image cleanups, in registries of your own. Pure data.

use std::collections::BTreeSet;

/// The cleanups of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanups {
    /// The existing Jobs.
    pub jobs: Vec<Cleanup>,
    /// Versions whose image a build left in such a registry, and no other record or ledger names. Computed only while
    /// there are more records than the limit; empty if nothing may be deleted.
    pub orphans: BTreeSet<String>,
}

/// A Job that deletes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// Its name.
    pub name: String,
    /// Version of the image.
    pub version: String,
    /// It has not started yet, so it can still be deleted.
    pub waits: bool,
    /// It failed, its order is still valid, and it was not the last attempt.
    pub tries_again: bool,
}
