//! How a build ends: a failure with its reason, and the report cut to the size of a termination message. It does not
//! retry, and does not decide what follows from a failure.

use super::disk;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::{EXIT_FAULT, EXIT_VERDICT, MAX_BYTES, Report, Stage};
use crate::text::cut_end;

/// Why a stage ended the build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) reason: FailureReason,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(stage: Stage, reason: FailureReason, message: impl Into<String>) -> Self {
        Self { stage, reason, message: message.into() }
    }

    /// A fault of the pod, not of the source. A full disk has its own reason.
    pub(super) fn workspace(stage: Stage, what: &str, source: &dyn std::fmt::Display) -> Self {
        let why = source.to_string();
        if disk::is_full(&why) {
            return disk::full(stage, what);
        }
        Self::new(
            stage,
            FailureReason::WorkspaceFailed,
            format!("{what}: {why}; the operator retries the build"),
        )
    }
}

/// Exit code of the build container for a report.
pub(super) fn exit_code(report: &Report) -> i32 {
    match report {
        Report::Built(_) => 0,
        Report::Failed(failed) if failed.is_verdict() => EXIT_VERDICT,
        Report::Failed(_) => EXIT_FAULT,
    }
}

/// The report as JSON of at most [`MAX_BYTES`]: drops the oldest lines of the log first, then the end of the message.
pub(super) fn encode(mut report: Report) -> String {
    loop {
        let text = serde_json::to_string(&report).unwrap_or_default();
        let Some(excess) = text.len().checked_sub(MAX_BYTES).filter(|&excess| excess > 0) else {
            return text;
        };
        match &mut report {
            // An escaped character may take six bytes, so cutting a sixth never cuts much too much.
            Report::Failed(failed) if !failed.log.is_empty() => {
                cut_front(&mut failed.log, excess.div_ceil(6));
            }
            Report::Failed(failed) if !failed.message.is_empty() => {
                cut_end(&mut failed.message, excess.div_ceil(6));
            }
            Report::Failed(failed) => {
                (failed.subject, failed.author, failed.log_reference) = (None, None, None);
                cut_end(&mut failed.reason, 1);
            }
            Report::Built(built) if built.message.is_some() || built.author.is_some() => {
                (built.message, built.author) = (None, None);
            }
            Report::Built(built) => {
                built.ports.pop();
                (built.framework, built.log_reference) = (None, None);
            }
        }
    }
}

fn cut_front(text: &mut String, bytes: usize) {
    let from = (bytes.min(text.len())..=text.len()).find(|&at| text.is_char_boundary(at));
    let from = from.unwrap_or(text.len());
    // Drop a partial line, unless it is the only one.
    let from = text[from..].find('\n').map_or(from, |line| from + line + 1);
    text.drain(..from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::report::{Built, Failed};

    fn failed(stage: Stage, reason: FailureReason, message: &str, log: &str) -> Report {
        Report::Failed(Failed {
            stage,
            reason: reason.to_string(),
            message: message.to_owned(),
            log: log.to_owned(),
            key: None,
            source: None,
            subject: None,
            author: None,
            committed_at: None,
            log_reference: None,
        })
    }

    #[test]
    fn small_reports_are_unchanged() {
        let report = failed(Stage::Build, FailureReason::BuildFailed, "step 3", "a\nb");
        assert_eq!(serde_json::from_str::<Report>(&encode(report.clone())).unwrap(), report);
    }

    #[test]
    fn the_log_is_cut_before_the_message_and_at_lines() {
        let log: String = (0..400).fold(String::new(), |log, n| log + &format!("\"é\\ line {n}\"\n"));
        let text = encode(failed(Stage::Build, FailureReason::BuildFailed, "the message", &log));
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 200, "{}", text.len());
        let Report::Failed(back) = serde_json::from_str(&text).unwrap() else { panic!("failed") };
        assert_eq!(back.message, "the message");
        assert!(back.log.starts_with("\"é") && back.log.ends_with("line 399\"\n"));
    }

    #[test]
    fn escapes_and_long_characters_stay_below_the_limit() {
        for char in ["\"", "\\", "é", "✓", "😀", "\u{1}"] {
            let text = encode(failed(
                Stage::Push,
                FailureReason::RegistryDenied,
                &char.repeat(9000),
                &char.repeat(9000),
            ));
            assert!(text.len() <= MAX_BYTES, "{char}: {}", text.len());
            assert!(
                matches!(serde_json::from_str(&text).unwrap(), Report::Failed(f) if !f.message.is_empty())
            );
        }
        let built = Built { message: Some("m".repeat(5000)), digest: "sha256:x".into(), ..Built::default() };
        assert!(encode(Report::Built(built)).len() <= MAX_BYTES);
        let ports = Built { ports: (1..2000).collect(), ..Built::default() };
        assert!(encode(Report::Built(ports)).len() <= MAX_BYTES);
    }

    #[test]
    fn a_full_disk_has_its_own_reason_at_every_stage() {
        for stage in [Stage::Resolve, Stage::Fetch, Stage::Verify] {
            let full = Failure::workspace(
                stage,
                "the source could not be read",
                &std::io::Error::from_raw_os_error(28),
            );
            assert_eq!((full.stage, full.reason), (stage, FailureReason::OutOfDisk));
            assert!(full.message.contains("disk is full. Free disk space on the nodes"), "{}", full.message);
            assert_eq!(exit_code(&failed(stage, full.reason, &full.message, "")), EXIT_FAULT);
            let denied = Failure::workspace(stage, "x", &std::io::Error::from_raw_os_error(13));
            assert_eq!(denied.reason, FailureReason::WorkspaceFailed);
        }
    }

    #[test]
    fn exit_codes_distinguish_faults_from_verdicts() {
        for (stage, reason, code) in [
            (Stage::Build, FailureReason::BuildFailed, 1),
            (Stage::Build, FailureReason::BuildTimeout, 1),
            (Stage::Build, FailureReason::Cancelled, 75),
            (Stage::Build, FailureReason::BaseImageUnreachable, 75),
            (Stage::Build, FailureReason::BaseImageNotFound, 1),
            (Stage::Verify, FailureReason::UnsafeSource, 1),
            (Stage::Detect, FailureReason::NoBuilder, 1),
            (Stage::Resolve, FailureReason::RefNotFound, 75),
            (Stage::Fetch, FailureReason::SourceChanged, 75),
            (Stage::Push, FailureReason::RegistryUnavailable, 75),
        ] {
            assert_eq!(exit_code(&failed(stage, reason, "", "")), code, "{stage:?} {reason}");
        }
        assert_eq!(exit_code(&Report::Built(Built::default())), 0);
    }
}
