//! Why an archive is rejected, and what the build reports. It reads nothing.

use crate::builder::log::printable;
use crate::builder::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Why an archive is rejected.
#[derive(Debug, thiserror::Error)]
pub(in crate::builder) enum Error {
    /// It is damaged, or two programs could read it differently.
    #[error("{0}")]
    Invalid(String),
    /// It reaches outside, or contains what no source needs.
    #[error("{0}")]
    Unsafe(String),
    /// It exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
    /// The pod's disk failed.
    #[error("{0}")]
    Disk(#[from] std::io::Error),
}

impl Error {
    pub(super) fn failure(self) -> Failure {
        let reason = match &self {
            Self::Disk(error) => {
                return Failure::workspace(Stage::Fetch, "the archive could not be unpacked", error);
            }
            Self::Invalid(_) => FailureReason::ArchiveInvalid,
            Self::Unsafe(_) => FailureReason::UnsafeSource,
            Self::TooLarge(_) => FailureReason::SourceTooLarge,
        };
        Failure::new(Stage::Verify, reason, format!("the archive was rejected: {self}"))
    }
}

/// The error for an entry that does what no source needs.
pub(super) fn unsafe_entry(path: &str, what: &str) -> Error {
    Error::Unsafe(format!("{:?} {what}", printable(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_does_not_reject_the_archive() {
        let full = Error::from(std::io::Error::from_raw_os_error(28)).failure();
        assert_eq!((full.stage, full.reason), (Stage::Fetch, FailureReason::OutOfDisk));
        let other = Error::from(std::io::Error::from_raw_os_error(5)).failure();
        assert_eq!(other.reason, FailureReason::WorkspaceFailed);
    }
}
