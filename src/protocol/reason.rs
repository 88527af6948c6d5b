//! Why a build ended without an image: the closed set of reasons. It decides nothing about what happens next.

use std::fmt;

/// One CamelCase word for why there is no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The order could not be read: operator and build program are of different versions.
    InvalidOrder,
    /// The pod itself did not work: disk, permissions, a missing program.
    WorkspaceFailed,
    /// There is no such branch, tag or commit.
    RefNotFound,
    /// The address, or what it resolves to, is none that a build may talk to.
    SourceForbidden,
    /// The host of the source did not answer.
    SourceUnreachable,
    /// The host answers, the repository or image is not there.
    SourceNotFound,
    /// The host asks for credentials, or refuses those given.
    SourceAuthFailed,
    /// The source is not the one that the order was made for.
    SourceChanged,
    /// More bytes or files than a source may have.
    SourceTooLarge,
    /// The archive is damaged, or programs could read it differently.
    ArchiveInvalid,
    /// A file is a pointer of Git LFS, and its server does not have what it stands for, or there is none.
    LargeFileMissing,
    /// A path or link that leaves the source, a device, a pipe.
    UnsafeSource,
    /// The directory that is to be built is not in the source.
    PathNotFound,
    /// Neither a Dockerfile nor anything that one can be written for.
    NoBuilder,
    /// The Dockerfile, or a step of it, failed.
    BuildFailed,
    /// A Secret that the steps of the build need is not there, or lacks a key.
    BuildSecretMissing,
    /// The kernel ended a step, for the pod may have no more memory.
    OutOfMemory,
    /// The disk of the build is full: a step found it so, or the fetch of the source.
    OutOfDisk,
    /// A base image does not exist, or not for the public.
    BaseImageNotFound,
    /// The registry of a base image did not answer.
    BaseImageUnreachable,
    /// The build daemon did not start or went away.
    BuilderUnavailable,
    /// The registry that the image goes to did not answer.
    RegistryUnavailable,
    /// The registry that the image goes to refused the push.
    RegistryDenied,
    /// The registry that the image goes to has no room for it.
    RegistryFull,
    /// The time of the build is over.
    BuildTimeout,
    /// The pod was told to end.
    Cancelled,
}

impl Reason {
    /// Reasons that are never the user's doing, whatever the stage: the build may be tried again.
    pub const FAULTS: [Self; 8] = [
        Self::InvalidOrder,
        Self::BuildSecretMissing,
        Self::WorkspaceFailed,
        Self::BaseImageUnreachable,
        Self::BuilderUnavailable,
        Self::OutOfMemory,
        Self::OutOfDisk,
        Self::Cancelled,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}
