//! Manifests whose tag is removed for a moment: never more than a sweep can hold and settle soon.

use super::choose::Tagged;
use super::registry::Manifest;

/// Most manifests without their tags at one time.
const COUNT: usize = 100;
/// Most bytes of them: the pod of a sweep has little memory, and a manifest may have 4 MiB.
const BYTES: usize = 16 << 20;

/// A removed tag, and what is needed to restore it.
pub(super) struct Untagged {
    pub(super) repository: String,
    pub(super) tagged: Tagged,
    pub(super) manifest: Manifest,
}

/// The manifests without their tags at the moment.
#[derive(Default)]
pub(super) struct Candidates {
    all: Vec<Untagged>,
    bytes: usize,
}

impl Candidates {
    pub(super) fn add(&mut self, untagged: Untagged) {
        self.bytes += untagged.manifest.content.len();
        self.all.push(untagged);
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// It is full: they must be settled.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= COUNT || self.bytes >= BYTES
    }

    pub(super) fn take(&mut self) -> Vec<Untagged> {
        self.bytes = 0;
        std::mem::take(&mut self.all)
    }
}
