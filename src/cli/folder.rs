//! A folder of this machine as a source: which of its files are in it, and the archive of them. The same files make the
//! same bytes, so that deploying them again is no new version. It reads the folder and changes nothing in it.

mod archive;
mod artifact;
mod files;

pub(super) use archive::Packed;
pub(super) use artifact::{Artifact, EMPTY, digest};
pub(super) use files::Files;
