//! Image cleanup: the pod of a cleanup Job deletes one image from a registry of your own. The operator knows that no
//! record names the image; this code only deletes it, with the login that pushed it.
//!
//! If the registry rejects the deletion, the pod logs one sentence and the Job succeeds: a retry would be rejected
//! again, and nothing waits for it.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::credentials::{Credentials, Use};
use super::http::{Http, Rules};
use super::log::Log;
use crate::protocol::order::cleanup::{CLEANUP_ENV, CleanupOrder, log_tag};
use crate::protocol::order::{CA_BUNDLE_ENV, PUSH_SECRET_DIR};
use crate::protocol::proxies::Proxies;

pub(super) mod repository;

use repository::{Error, Repository};

/// Time for all attempts, below the deadline of the Job.
const TIME: Duration = Duration::from_secs(90);
/// Pause before the next request to a registry that did not answer.
const PAUSE: Duration = Duration::from_secs(10);

/// One running image cleanup.
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
    let ended =
        ended.unwrap_or_else(|_| Err(Error::Fault(format!("not finished within {} s", TIME.as_secs()))));
    let sentence = cleanup.sentence(&ended);
    cleanup.log.line(&sentence);
    match ended {
        Ok(_) | Err(Error::Refused(_)) => ExitCode::SUCCESS,
        Err(Error::Fault(_)) => ExitCode::FAILURE,
    }
}

/// What happened to the image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// It was deleted, with its tags and its log.
    Deleted,
    /// It did not exist any more.
    Gone,
    /// A tag that no build created points to it.
    Tagged(String),
}

impl Cleanup {
    fn from_environment(started: Instant) -> Result<Self, String> {
        let text = std::env::var(CLEANUP_ENV).unwrap_or_default();
        let order: CleanupOrder = serde_json::from_str(&text).map_err(|error| {
            format!("cannot read {CLEANUP_ENV}: {error}; the operator and the build image must have the same version")
        })?;
        let ca = std::env::var(CA_BUNDLE_ENV).unwrap_or_default();
        let http = Http::new(&ca, Rules::default(), Proxies::from_environment())
            .map_err(|error| format!("the CA bundle cannot be used: {error}"))?;
        let push = Credentials::read(Use::Push, order.push_secret.as_deref(), Path::new(PUSH_SECRET_DIR))
            .map_err(|failure| failure.message)?;
        let log = Log::hiding(started, &push.secrets());
        Ok(Self { order, http, push, log })
    }

    /// Retries while the registry does not answer, as long as there is time.
    async fn until_answered(&self) -> Result<End, Error> {
        loop {
            match self.clean().await {
                Err(Error::Fault(why)) => {
                    self.log.line(&format!("{why}; retrying in {} s", PAUSE.as_secs()));
                    tokio::time::sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    /// Deletes the image by digest, which removes its tags, and the log of its build. The cache stays: it belongs to
    /// the repository.
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
            Ok(End::Deleted) => format!("deleted {image} and the log of its build"),
            Ok(End::Gone) => format!("{image} no longer exists"),
            Ok(End::Tagged(tag)) => format!(
                "kept {image}: tag {tag}, which doce-operator did not create, points to it. Delete that tag if nothing \
                 needs the image"
            ),
            Err(Error::Refused(why)) => format!(
                "kept {image}: {why}. {}; or turn image cleanup off with spec.build.output.cleanup: Keep",
                capital(&self.push.advice(&self.order.repository))
            ),
            Err(Error::Fault(why)) => {
                format!(
                    "error: could not delete {image}: {why}. Check that pods can reach the registry, and delete the \
                     image by hand"
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
