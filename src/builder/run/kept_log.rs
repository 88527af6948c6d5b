//! The log stays readable when its pod is gone: it is pushed beside the image. Nothing here can change whether a build
//! failed; a push that failed may get a better reason.

use std::time::Duration;

use super::Build;
use crate::builder::outcome::Failure;
use crate::builder::registry;
use crate::protocol::order::Source;
use crate::protocol::order::cleanup::log_tag;
use crate::protocol::reason::Reason;
use crate::protocol::report::Report;
use crate::version::text_digest;

/// Type of the artifact.
pub(super) const KIND: &str = "application/vnd.doce.log.v1";
/// Longest wait for the registry.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when the pod was told to end and has few seconds left.
const HURRY: Duration = Duration::from_secs(4);

impl Build {
    /// Pushes the log; its reference. None where there is none: nothing was built, or the registry did not take it, which
    /// the log then says.
    pub(super) async fn keep_log(&self, report: &Report) -> Option<String> {
        self.keep_log_within(PATIENCE, report).await
    }

    /// The same with another patience with the registry.
    pub(super) async fn keep_log_within(&self, patience: Duration, report: &Report) -> Option<String> {
        if matches!(self.order.source, Source::Image { .. }) {
            return None;
        }
        let reference = self.log_reference();
        let time = match report {
            // The log there is that of the build which made the image.
            Report::Built(built) if built.reused => {
                return self.registry.digest(&reference).await.map(|_| reference);
            }
            Report::Failed(failed) if failed.reason == Reason::Cancelled.to_string() => HURRY,
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

    /// The failure of a push, once the registry was heard: `BuildKit` passes on the status of its answer, and not what it
    /// says of its disk. It says so again when the log, as far as it is, is pushed from here.
    pub(super) async fn heard(&self, failure: Failure) -> Failure {
        self.heard_within(PATIENCE, failure).await
    }

    /// The same with another patience with the registry.
    pub(super) async fn heard_within(&self, patience: Duration, failure: Failure) -> Failure {
        if failure.reason != Reason::RegistryUnavailable {
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

    /// `log-` and 16 hex digits of the build key, or of what was asked for where the key was not known by the end.
    pub(super) fn log_tag(&self) -> String {
        let key = self.progress().key.unwrap_or_else(|| {
            let asked = (&self.order.source, &self.order.settings);
            text_digest(&serde_json::to_string(&asked).unwrap_or_default())
        });
        log_tag(&key)
    }
}
