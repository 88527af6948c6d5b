//! The log stays readable when its pod is gone: it is pushed beside the image. Nothing here can change how a build ended.

use std::time::Duration;

use super::Build;
use crate::build::order::Source;
use crate::build::order::cleanup::log_tag;
use crate::build::reason::Reason;
use crate::build::report::Report;
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
        if matches!(self.order.source, Source::Image { .. }) {
            return None;
        }
        let reference = format!("{}:{}", self.order.repository, self.log_tag());
        let time = match report {
            // The log there is that of the build which made the image.
            Report::Built(built) if built.reused => {
                return self.registry.digest(&reference).await.map(|_| reference);
            }
            Report::Failed(failed) if failed.reason == Reason::Cancelled.to_string() => HURRY,
            _ => PATIENCE,
        };
        let pushed = async {
            self.check_output().await.map_err(|failure| failure.message)?;
            let text = self.log.text();
            let pushed = self.registry.push_text(&reference, (KIND, "build.log"), text, time).await;
            pushed.map_err(|error| error.to_string())
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

    /// `log-` and 16 hex digits of the build key, or of what was asked for where the key was not known by the end.
    pub(super) fn log_tag(&self) -> String {
        let key = self.progress().key.unwrap_or_else(|| {
            let asked = (&self.order.source, &self.order.settings);
            text_digest(&serde_json::to_string(&asked).unwrap_or_default())
        });
        log_tag(&key)
    }
}
