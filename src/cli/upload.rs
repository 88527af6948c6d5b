//! Pushes a folder to a registry: the embedded one, through the API server, or one of the user's own, with the login of
//! Docker. What the registry has already is not sent again.

mod login;
mod tunnel;

use std::fs::File;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use hyper::body::Bytes;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use tokio::io::AsyncReadExt as _;

use super::door::{Door, Uploads};
use super::failure::Failure;
use super::folder::{Artifact, EMPTY, Packed, digest};
use crate::distribution::MANIFEST;
use crate::protocol::order::cleanup::source_tag;
use crate::protocol::registry_token::USER;
use crate::text::with_causes;
use tunnel::Tunnel;

/// Longest wait for a connection, and for the next bytes of an answer.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_mins(1);
/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;

/// Where folders of a project go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Repository as builds name it, `host[:port]/path`.
    pub(super) repository: String,
    /// The embedded registry; `None` for a registry of the user's own.
    pub(super) uploads: Option<Uploads>,
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
        let parsed = Reference::try_from(repository);
        if !has_host || repository.contains('@') || parsed.is_err_and(|_| true) {
            return Err(Failure::usage(format!(
                "--repository {repository:?} is no repository. Name it with its registry and without a tag, such as ghcr.io/you/shop-source"
            )));
        }
        Ok(Self { repository: repository.to_owned(), uploads: None })
    }

    /// The reference of an artifact there, as a spec names it.
    pub(super) fn reference(&self, artifact: &Artifact) -> String {
        format!("{}@{}", self.repository, artifact.digest)
    }

    /// Pushes the folder.
    pub(super) async fn push(
        &self,
        door: &Door,
        packed: &Packed,
        artifact: &Artifact,
    ) -> Result<(), Failure> {
        match &self.uploads {
            None => {
                let auth = login::of(&self.repository).await?;
                self.send(&self.repository, &auth, packed, artifact)
                    .await
                    .map_err(|error| self.failed(&error, None))
            }
            Some(uploads) => {
                let (token, forward) = tokio::try_join!(door.registry_token(), door.port_forward(uploads))?;
                let tunnel = Tunnel::open(forward).await?;
                let path = self.repository.split_once('/').map_or("", |(_, path)| path);
                let auth = RegistryAuth::Basic(USER.to_owned(), token);
                let sent = self.send(&format!("{}/{path}", tunnel.host), &auth, packed, artifact).await;
                sent.map_err(|error| self.failed(&error, tunnel.error()))
            }
        }
    }

    fn failed(&self, error: &OciDistributionError, connection: Option<String>) -> Failure {
        let connection = connection.map(|error| format!(" ({error})")).unwrap_or_default();
        let way_out = match (&self.uploads, error) {
            (
                None,
                OciDistributionError::AuthenticationFailure(_)
                | OciDistributionError::UnauthorizedError { .. },
            ) => ". Log in with docker login, and use an account that may push there",
            (Some(_), OciDistributionError::RegistryError { .. }) => "",
            _ => ". Try again",
        };
        Failure::error(format!(
            "cannot push to {}: {}{connection}{way_out}",
            self.repository,
            with_causes(error)
        ))
    }

    async fn send(
        &self,
        repository: &str,
        auth: &RegistryAuth,
        packed: &Packed,
        artifact: &Artifact,
    ) -> Result<(), OciDistributionError> {
        let tag = source_tag(jiff::Timestamp::now().as_second());
        let place = Reference::try_from(format!("{repository}:{tag}"))
            .map_err(|error| OciDistributionError::GenericError(Some(error.to_string())))?;
        let client = self.client(place.registry())?;
        client.auth(&place, auth, RegistryOperation::Push).await?;
        let layer = format!("sha256:{}", packed.sum);
        if !client.blob_exists(&place, &layer).await? {
            let content = chunks(packed.reader()?);
            client.push_blob_stream(&place, content, &layer, Some(packed.length)).await?;
        }
        if !client.blob_exists(&place, &digest(EMPTY)).await? {
            client.push_blob(&place, EMPTY, &digest(EMPTY)).await?;
        }
        let kind = http::HeaderValue::from_static(MANIFEST);
        client.push_manifest_raw(&place, artifact.manifest.clone(), kind).await.map(drop)
    }

    /// `host` is where the client connects to.
    fn client(&self, host: &str) -> Result<Client, OciDistributionError> {
        let mut config = ClientConfig {
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            user_agent: concat!("kubectl-doce/", env!("CARGO_PKG_VERSION")),
            // Chunked uploads are what registries differ in.
            use_monolithic_push: true,
            ..ClientConfig::default()
        };
        if self.uploads.is_some() {
            config.protocol = ClientProtocol::HttpsExcept(vec![host.to_owned()]);
            // A proxy in the environment of the user does not reach the tunnel. A proxy in the settings replaces that of the
            // environment, and this one is never used.
            config.http_proxy = Some("http://127.0.0.1:1".to_owned());
            config.no_proxy = Some("127.0.0.1".to_owned());
        }
        Client::try_from(config)
    }
}

/// The content of a file, piece by piece.
fn chunks(file: File) -> impl Stream<Item = Result<Bytes, OciDistributionError>> + Send + 'static {
    let file = tokio::fs::File::from_std(file);
    futures::stream::try_unfold(file, |mut file| async move {
        let mut buffer = vec![0; CHUNK];
        let count = file.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok::<_, OciDistributionError>((count > 0).then(|| (Bytes::from(buffer), file)))
    })
    .boxed()
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
        ] {
            let failure = Place::own(wrong).unwrap_err();
            assert!(failure.message.contains("ghcr.io/you/shop-source"), "{wrong}");
        }
    }
}
