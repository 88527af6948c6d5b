//! The end of an image that no record names any more, in a registry outside the platform's: what the pod of a cleanup Job
//! does. That nobody names it is the operator's knowledge; here it is only deleted, with the login that pushed it.
//!
//! What a registry refuses is told in one sentence and is no failure of the Job: it would be refused again next time, and
//! nothing waits for it.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::credentials::{Credentials, Use};
use super::http::{Http, Rules};
use super::log::Log;
use crate::protocol::order::cleanup::{CLEANUP_ENV, CleanupOrder, log_tag};
use crate::protocol::order::{CA_BUNDLE_ENV, PUSH_SECRET_DIR};

pub(super) mod repository;

use repository::{Error, Repository};

/// Time of all attempts, below the Job's own deadline.
const TIME: Duration = Duration::from_secs(90);
/// Pause before a registry that did not answer is asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// One cleanup under way.
struct Cleanup {
    order: CleanupOrder,
    http: Http,
    push: Credentials,
    log: Log,
}

/// The whole cleanup; see [`super::clean_up`].
pub(super) async fn run() -> ExitCode {
    let started = Instant::now();
    let cleanup = match Cleanup::from_environment(started) {
        Ok(cleanup) => cleanup,
        Err(why) => {
            Log::new(started).line(&format!("error: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = tokio::time::timeout(TIME, cleanup.until_answered()).await;
    let ended = ended.unwrap_or_else(|_| Err(Error::Fault(format!("no end within {} s", TIME.as_secs()))));
    let sentence = cleanup.sentence(&ended);
    cleanup.log.line(&sentence);
    match ended {
        Ok(_) | Err(Error::Refused(_)) => ExitCode::SUCCESS,
        Err(Error::Fault(_)) => ExitCode::FAILURE,
    }
}

/// What became of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// It is gone, with its tags and its log.
    Deleted,
    /// It was gone before.
    Gone,
    /// Somebody else's tag points to it.
    Tagged(String),
}

impl Cleanup {
    fn from_environment(started: Instant) -> Result<Self, String> {
        let text = std::env::var(CLEANUP_ENV).unwrap_or_default();
        let order: CleanupOrder = serde_json::from_str(&text).map_err(|error| {
            format!("{CLEANUP_ENV} cannot be read: {error}; operator and image must be of one version")
        })?;
        let http = Http::new(&std::env::var(CA_BUNDLE_ENV).unwrap_or_default(), Rules::default())
            .map_err(|error| format!("the CA bundle cannot be used: {error}"))?;
        let push = Credentials::read(Use::Push, order.push_secret.as_deref(), Path::new(PUSH_SECRET_DIR))
            .map_err(|failure| failure.message)?;
        let log = Log::hiding(started, &push.secrets());
        Ok(Self { order, http, push, log })
    }

    /// A registry that does not answer is asked again, as long as there is time.
    async fn until_answered(&self) -> Result<End, Error> {
        loop {
            match self.clean().await {
                Err(Error::Fault(why)) => {
                    self.log.line(&format!("{why}; asked again in {} s", PAUSE.as_secs()));
                    tokio::time::sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    /// Deletes the image by its digest, which takes its tags with it, and the log of its build. The cache stays: it is the
    /// repository's.
    async fn clean(&self) -> Result<End, Error> {
        let order = &self.order;
        let repository = Repository::new(&self.http, &self.push, &order.repository, order.insecure)?;
        if let Some(tag) = repository.other_tag(&order.digest).await? {
            return Ok(End::Tagged(tag));
        }
        let deleted = repository.delete(&order.digest).await?;
        if let Some(log) = repository.digest(&log_tag(&order.key)).await? {
            repository.delete(&log).await?;
        }
        Ok(if deleted { End::Deleted } else { End::Gone })
    }

    fn sentence(&self, ended: &Result<End, Error>) -> String {
        let image = format!("{}@{}", self.order.repository, self.order.digest);
        match ended {
            Ok(End::Deleted) => format!("{image} is deleted, and the log of its build"),
            Ok(End::Gone) => format!("{image} was gone already"),
            Ok(End::Tagged(tag)) => format!(
                "{image} stays: tag {tag}, which is none of ours, points to it. Delete that tag if the image is not needed"
            ),
            Err(Error::Refused(why)) => format!(
                "{image} stays: {why}. {}; or write spec.build.output.cleanup: Keep, so that it is not tried",
                capital(&self.push.advice(&self.order.repository))
            ),
            Err(Error::Fault(why)) => {
                format!(
                    "error: {image} stays: {why}. Check that pods reach the registry, and delete it by hand"
                )
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
