//! Access to the registry of a project: the embedded one, through the API server, or one of the user's own, with the login of
//! Docker.

mod login;
mod push;
mod read;
mod tunnel;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use super::door::{Door, Uploads};
use super::failure::Failure;
use super::folder::Artifact;
use crate::protocol::registry_token::USER;
use crate::text::with_causes;
use tunnel::Tunnel;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time without a byte that is sent, and for an answer.
const SILENCE: Duration = Duration::from_mins(2);

/// Counts pieces of an upload.
#[derive(Clone, Default)]
struct Pace(Arc<AtomicU64>);

impl Pace {
    fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn sent(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A repository, and how a user gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Repository as builds or nodes name it, `host[:port]/path`.
    pub(super) repository: String,
    /// The embedded registry; `None` for a registry of the user's own.
    pub(super) uploads: Option<Uploads>,
}

/// A connection to a registry.
struct Session {
    client: Client,
    auth: RegistryAuth,
    /// The repository as this machine reaches it.
    repository: String,
    tunnel: Option<Tunnel>,
    /// Counts what is sent.
    pace: Pace,
}

impl Place {
    /// The place of a project in the embedded registry, beside its images.
    pub(super) fn embedded(uploads: Uploads, namespace: &str, project: &str) -> Self {
        let repository = format!("{}/{namespace}/{project}", uploads.registry);
        Self { repository, uploads: Some(uploads) }
    }

    /// A repository of the user's own.
    pub(super) fn own(repository: &str) -> Result<Self, Failure> {
        let has_host = repository.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']));
        let has_tag = repository.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        if !has_host || has_tag || Reference::try_from(repository).is_err() {
            return Err(Failure::usage(format!(
                "--repository {repository:?} is no repository. Name it with its registry and without a tag, such as ghcr.io/you/shop-source"
            )));
        }
        Ok(Self { repository: repository.to_owned(), uploads: None })
    }

    /// The place of what a status names: in the embedded registry, if it is one of its addresses.
    pub(super) fn named(repository: &str, uploads: Option<Uploads>) -> Self {
        let host = repository.split('/').next().unwrap_or_default();
        let uploads = uploads.filter(|uploads| host == uploads.registry || host == uploads.nodes);
        Self { repository: repository.to_owned(), uploads }
    }

    /// The reference of an artifact there, as a spec names it.
    pub(super) fn reference(&self, artifact: &Artifact) -> String {
        format!("{}@{}", self.repository, artifact.digest)
    }

    async fn open(&self, door: &Door, operation: RegistryOperation) -> Result<Session, Failure> {
        let (host, path) = self.repository.split_once('/').unwrap_or((&self.repository, ""));
        let session = match &self.uploads {
            None => Session {
                client: client(host).map_err(|error| self.failed(&error, None))?,
                auth: login::of(&self.repository).await?,
                repository: self.repository.clone(),
                tunnel: None,
                pace: Pace::default(),
            },
            Some(uploads) => {
                let (token, forward) = tokio::try_join!(door.registry_token(), door.port_forward(uploads))?;
                let tunnel = Tunnel::open(forward).await?;
                Session {
                    client: client(&tunnel.host).map_err(|error| self.failed(&error, None))?,
                    auth: RegistryAuth::Basic(USER.to_owned(), token),
                    repository: format!("{}/{path}", tunnel.host),
                    tunnel: Some(tunnel),
                    pace: Pace::default(),
                }
            }
        };
        let place = session.reference("latest").map_err(|error| self.failed(&error, None))?;
        self.within(&session, session.client.auth(&place, &session.auth, operation)).await?;
        Ok(session)
    }

    /// Does some work in the registry, as long as it goes on.
    async fn within<T>(
        &self,
        session: &Session,
        work: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done.map_err(|error| self.failed(&error, session.broken())),
            () = session.stalled() => Err(Failure::error(format!(
                "cannot use {}: nothing was sent or received for {} s. Check the connection to the cluster, and try again",
                self.repository, SILENCE.as_secs()
            ))),
        }
    }

    fn failed(&self, error: &OciDistributionError, connection: Option<String>) -> Failure {
        let connection = connection.map(|error| format!(" ({error})")).unwrap_or_default();
        let refused = match error {
            OciDistributionError::AuthenticationFailure(_)
            | OciDistributionError::UnauthorizedError { .. } => true,
            // The answer to a HEAD has no words.
            OciDistributionError::RequestError(error) => {
                error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403))
            }
            _ => false,
        };
        let way_out = match &self.uploads {
            None if refused => ". Log in with docker login, with an account that has the right",
            Some(_) if refused => ". The registry does not accept a token of your namespace: see its log",
            _ => ". Try again",
        };
        Failure::error(format!("cannot use {}: {}{connection}{way_out}", self.repository, with_causes(error)))
    }
}

impl Session {
    fn reference(&self, tag: &str) -> Result<Reference, OciDistributionError> {
        Reference::try_from(format!("{}:{tag}", self.repository))
            .map_err(|error| OciDistributionError::GenericError(Some(error.to_string())))
    }

    /// Returns when nothing was sent for too long: an upload may take hours, a silence may not.
    async fn stalled(&self) {
        let mut before = self.pace.sent();
        loop {
            tokio::time::sleep(SILENCE).await;
            let now = self.pace.sent();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// What is wrong with the connection, if anything.
    fn broken(&self) -> Option<String> {
        self.tunnel.as_ref().and_then(Tunnel::error)
    }
}

/// `host` is where the client connects to.
fn client(host: &str) -> Result<Client, OciDistributionError> {
    let mut config = ClientConfig {
        connect_timeout: Some(CONNECT),
        user_agent: concat!("kubectl-doce/", env!("CARGO_PKG_VERSION")),
        // Chunked uploads are what registries differ in.
        use_monolithic_push: true,
        ..ClientConfig::default()
    };
    let is_here = matches!(host.split(':').next(), Some("localhost" | "127.0.0.1"));
    if is_here {
        // The tunnel, or a registry of this machine, which Docker reaches like this too.
        config.protocol = ClientProtocol::HttpsExcept(vec![host.to_owned()]);
        // A proxy in the environment of the user does not lead here. A proxy in the settings replaces that of the environment,
        // and this one is never used.
        config.http_proxy = Some("http://127.0.0.1:1".to_owned());
        config.no_proxy = Some("127.0.0.1,localhost".to_owned());
    }
    Client::try_from(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_with_its_registry_and_without_digest() {
        assert_eq!(Place::own("ghcr.io/you/shop-source").unwrap().repository, "ghcr.io/you/shop-source");
        assert!(Place::own("localhost:5000/shop").is_ok());
        for wrong in [
            "",
            "shop",
            "you/shop",
            "ghcr.io/You/Shop",
            "https://ghcr.io/you/shop",
            "ghcr.io/you/shop@sha256:0",
            "ghcr.io/you/shop:1",
        ] {
            let failure = Place::own(wrong).unwrap_err();
            assert!(failure.message.contains("ghcr.io/you/shop-source"), "{wrong}");
        }
    }
}
