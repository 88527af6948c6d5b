//! What has no tag for a moment: never more than a sweep can hold and settle soon.

use super::choose::Tagged;
use super::registry::Manifest;

/// Manifests that are without their tags at one time.
const COUNT: usize = 100;
/// Bytes of them: the pod of a sweep has little memory, and a manifest may have 4 MiB.
const BYTES: usize = 16 << 20;

/// A tag that was taken away, and what to put back.
pub(super) struct Untagged {
    pub(super) repository: String,
    pub(super) tagged: Tagged,
    pub(super) manifest: Manifest,
}

/// Those of the moment.
#[derive(Default)]
pub(super) struct Aside {
    all: Vec<Untagged>,
    bytes: usize,
}

impl Aside {
    pub(super) fn add(&mut self, untagged: Untagged) {
        self.bytes += untagged.manifest.content.len();
        self.all.push(untagged);
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// It is time to settle them.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= COUNT || self.bytes >= BYTES
    }

    pub(super) fn take(&mut self) -> Vec<Untagged> {
        self.bytes = 0;
        std::mem::take(&mut self.all)
    }
}
