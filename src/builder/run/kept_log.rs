//! Pushes the log beside the image, so that it stays readable without the pod. Nothing here changes whether a build
//! failed, but a failed push may get a better reason.

use std::time::Duration;

use super::Build;
use crate::builder::outcome::Failure;
use crate::builder::registry;
use crate::protocol::order::Source;
use crate::protocol::order::cleanup::log_tag;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Report;
use crate::version::text_digest;

/// Media type of the artifact.
pub(super) const KIND: &str = "application/vnd.doce.log.v1";
/// Longest wait for the registry.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when the pod is terminating and has few seconds left.
const HURRY: Duration = Duration::from_secs(4);

impl Build {
    /// Pushes the log and returns its reference. None if nothing was built, or if the registry did not accept it, which
    /// the log then says.
    pub(super) async fn keep_log(&self, report: &Report) -> Option<String> {
        self.keep_log_within(PATIENCE, report).await
    }

    /// The same with another time limit.
    pub(super) async fn keep_log_within(&self, patience: Duration, report: &Report) -> Option<String> {
        if matches!(self.order.source, Source::Image { .. }) {
            return None;
        }
        let reference = self.log_reference();
        let time = match report {
            // The log there is from the build that made the image.
            Report::Built(built) if built.reused => {
                return self.registry.digest(&reference).await.map(|_| reference);
            }
            Report::Failed(failed) if failed.reason == FailureReason::Cancelled.to_string() => HURRY,
            _ => patience,
        };
        let pushed = async {
            self.check_output().await.map_err(|failure| failure.message)?;
            self.push_log(&reference, time).await.map_err(|error| error.to_string())
        };
        let pushed = tokio::time::timeout(time, pushed).await;
        match pushed.unwrap_or_else(|_| Err(format!("it took longer than {} s", time.as_secs()))) {
            Ok(()) => {
                self.log.line(&format!("this log is kept at {reference}"));
                Some(reference)
            }
            Err(why) => {
                self.log.line(&format!("note: this log could not be kept at {reference}: {why}"));
                None
            }
        }
    }

    /// The failure of a push with the registry's own words. `BuildKit` reports only the status, not that the disk of
    /// the registry is full. The registry says it again when this program pushes the log so far.
    pub(super) async fn heard(&self, failure: Failure) -> Failure {
        self.heard_within(PATIENCE, failure).await
    }

    /// The same with another time limit.
    pub(super) async fn heard_within(&self, patience: Duration, failure: Failure) -> Failure {
        if failure.reason != FailureReason::RegistryUnavailable {
            return failure;
        }
        match self.push_log(&self.log_reference(), patience).await {
            Err(error @ registry::Error::Full { .. }) => error.of_push(&self.advice()),
            _ => failure,
        }
    }

    async fn push_log(&self, reference: &str, time: Duration) -> Result<(), registry::Error> {
        self.registry.push_text(reference, (KIND, "build.log"), self.log.text(), time).await
    }

    fn log_reference(&self) -> String {
        format!("{}:{}", self.order.repository, self.log_tag())
    }

    /// `log-` and 16 hex digits of the build key, or of the order if the build ended before the key was known.
    pub(super) fn log_tag(&self) -> String {
        let key = self.progress().key.unwrap_or_else(|| {
            let asked = (&self.order.source, &self.order.settings);
            text_digest(&serde_json::to_string(&asked).unwrap_or_default())
        });
        log_tag(&key)
    }
}
