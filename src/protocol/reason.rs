//! The closed set of reasons why a build ended without an image. It does not decide what happens next.

use std::fmt;

/// Why there is no image, as one CamelCase word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The order could not be read: operator and build program have different versions.
    InvalidOrder,
    /// The pod itself did not work: disk, permissions, a missing program.
    WorkspaceFailed,
    /// The branch, tag or commit does not exist.
    RefNotFound,
    /// A build may not connect to the address, or to what it resolves to.
    SourceForbidden,
    /// The host of the source did not answer.
    SourceUnreachable,
    /// The host answers, but the repository or image does not exist.
    SourceNotFound,
    /// The host asks for credentials, or rejects the given ones.
    SourceAuthFailed,
    /// The source is not the one in the order.
    SourceChanged,
    /// More bytes or files than a source may have.
    SourceTooLarge,
    /// The archive is damaged, or programs could interpret it differently.
    ArchiveInvalid,
    /// A file is a Git LFS pointer, and the server does not have its content, or there is no server.
    LargeFileMissing,
    /// The source contains a path or link that leaves it, a device, or a pipe.
    UnsafeSource,
    /// The directory to build is not in the source.
    PathNotFound,
    /// The source has no Dockerfile, and none can be generated for it.
    NoBuilder,
    /// The Dockerfile, or a step of it, failed.
    BuildFailed,
    /// A Secret that the steps of the build need does not exist, or lacks a key.
    BuildSecretMissing,
    /// The kernel killed a step, because the pod exceeded its memory limit.
    OutOfMemory,
    /// The disk of the build is full: a step or the fetch of the source failed.
    OutOfDisk,
    /// A base image does not exist, or is not public.
    BaseImageNotFound,
    /// The registry of a base image did not answer.
    BaseImageUnreachable,
    /// The build daemon did not start or went away.
    BuilderUnavailable,
    /// The builder pod ended during the build, or its node did: memory, disk, or an eviction.
    BuilderLost,
    /// The target registry did not answer.
    RegistryUnavailable,
    /// The target registry rejected the push.
    RegistryDenied,
    /// The target registry has no room for the image.
    RegistryFull,
    /// The build exceeded its time.
    BuildTimeout,
    /// Kubernetes stopped the pod.
    Cancelled,
}

impl FailureReason {
    /// Reasons that are never the user's error, in any stage: the build may be retried.
    pub const FAULTS: [Self; 9] = [
        Self::InvalidOrder,
        Self::BuildSecretMissing,
        Self::WorkspaceFailed,
        Self::BaseImageUnreachable,
        Self::BuilderUnavailable,
        Self::BuilderLost,
        Self::OutOfMemory,
        Self::OutOfDisk,
        Self::Cancelled,
    ];
}

impl fmt::Display for FailureReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}
