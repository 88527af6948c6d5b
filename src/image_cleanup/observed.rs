//! What is seen of images in registries outside the platform's that may have to go. Pure data.

use std::collections::BTreeSet;

/// The cleanups of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanups {
    /// The Jobs that are there.
    pub jobs: Vec<Cleanup>,
    /// Versions whose image a build left in such a registry and that no other record or ledger names. Looked at only while
    /// there are more records than the limit; empty where nothing is to be deleted.
    pub orphans: BTreeSet<String>,
}

/// A Job that deletes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// Its name.
    pub name: String,
    /// Version that the image was of.
    pub version: String,
    /// It has not been started yet, so that it can still be taken back.
    pub waits: bool,
    /// It failed, what it was told is still right, and it was not the last attempt.
    pub tries_again: bool,
}
