//! Recognizes errors that say that the disk of the build pod is full. It only reads text.

use super::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// The words of the C library, Go and Git.
const WORDS: [&str; 3] = ["no space left on device", "disk quota exceeded", "out of diskspace"];

/// Whether an error of a program in the pod says that the disk is full.
pub(super) fn is_full(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    WORDS.iter().any(|words| error.contains(words))
}

/// The failure of `what` on a full disk. It is the node's disk: Kubernetes evicts a pod that exceeds its own limit.
pub(super) fn full(stage: Stage, what: &str) -> Failure {
    let message = format!(
        "{what}: the build's disk is full. Free disk space on the nodes, or ask the platform owner for other nodes \
         (build.nodeSelector of the chart)"
    );
    Failure::new(stage, FailureReason::OutOfDisk, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_detected_in_the_message_of_every_program() {
        for error in [
            &std::io::Error::from_raw_os_error(28).to_string(),
            &std::io::Error::from_raw_os_error(122).to_string(),
            "write /home/user/x: no space left on device",
            "fatal: sha1 file '/workspace/objects.git/index.lock' write error. Out of diskspace",
        ] {
            assert!(is_full(error), "{error}");
        }
        assert!(!is_full(&std::io::Error::from_raw_os_error(13).to_string()));
    }
}
