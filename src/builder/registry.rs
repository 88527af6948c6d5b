//! Reads images in registries: whether a tag exists, and its digest, user, platform and ports. It pushes no image.

use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::credentials::Keyring;
use super::log::{printable, shortened};
use super::outcome::Failure;
use crate::protocol::proxies::Proxies;
use crate::protocol::report::Stage;
use error::explain;

pub(super) use error::{Advice, Error};

mod artifact;
mod error;
pub(super) mod quota;

const TIME: Duration = Duration::from_mins(1);

/// An image as a registry describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// Digest that its reference points to; that of the index for an image of several platforms.
    pub(super) digest: String,
    /// User as in the image configuration: empty, a name or a number, with or without a group.
    pub(super) user: String,
    /// `os/architecture`.
    pub(super) platform: String,
    /// TCP ports that it exposes, ascending.
    pub(super) ports: Vec<u16>,
    /// Annotations of the manifest.
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

/// Access to registries from the pod.
pub(super) struct Registry {
    client: Client,
    mirror: Option<String>,
    keyring: Keyring,
}

impl Registry {
    /// `plain` are registries that speak plain HTTP; `ca` is PEM text with further certificates to trust.
    pub(super) fn new(
        plain: Vec<String>,
        mirror: Option<String>,
        ca: &str,
        keyring: Keyring,
        proxies: &Proxies,
    ) -> Result<Self, OciDistributionError> {
        let plain = plain.into_iter().chain(mirror.clone()).collect();
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(plain),
            extra_root_certificates: certificates(ca),
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(Duration::from_secs(30)),
            http_proxy: proxies.url(false).map(str::to_owned),
            https_proxy: proxies.url(true).map(str::to_owned),
            no_proxy: Some(proxies.direct()),
            user_agent: concat!("doce-operator/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        Ok(Self { client: Client::try_from(config)?, mirror, keyring })
    }

    /// Describes an image of docker.io from the platform's mirror; none without a mirror or without the image there.
    pub(super) async fn describe_at_mirror(&self, reference: &Reference) -> Option<Image> {
        let mirror = self.mirror.as_ref().filter(|_| reference.registry() == "docker.io")?;
        self.describe_reference(&at_mirror(mirror, reference)).await.ok()
    }

    /// Describes the image at a reference that this program made.
    pub(super) async fn describe(&self, reference: &str) -> Result<Image, Error> {
        self.describe_reference(&parse(reference)?).await
    }

    /// The digest at a reference that this program made; none if there is no image or no answer.
    pub(super) async fn digest(&self, reference: &str) -> Option<String> {
        let reference = parse(reference).ok()?;
        let auth = self.auth(&reference);
        let work = self.client.fetch_manifest_digest(&reference, &auth);
        tokio::time::timeout(TIME, work).await.ok()?.ok()
    }

    fn auth(&self, reference: &Reference) -> RegistryAuth {
        match self.keyring.login(reference.resolve_registry(), reference.repository()) {
            Some(login) => RegistryAuth::Basic(login.user.clone(), login.password.clone()),
            None => RegistryAuth::Anonymous,
        }
    }

    async fn describe_reference(&self, reference: &Reference) -> Result<Image, Error> {
        let auth = self.auth(reference);
        let work = self.client.pull_manifest_and_config_and_list_digest(reference, &auth);
        let unreachable = |why: String| Error::Unreachable { image: reference.to_string(), why };
        let answer = tokio::time::timeout(TIME, work)
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", TIME.as_secs())))?;
        let (manifest, digest, config, list) = answer.map_err(|error| explain(reference, &error))?;
        let image = Image::read(config.as_bytes()).map_err(|error| {
            unreachable(format!("the configuration of the image cannot be read: {error}"))
        })?;
        Ok(Image {
            digest: list.unwrap_or(digest),
            annotations: manifest.annotations.unwrap_or_default(),
            ..image
        })
    }
}

/// A reference as a person writes it.
pub(super) fn parse(reference: &str) -> Result<Reference, Error> {
    Reference::try_from(reference).map_err(|_| Error::Reference(reference.chars().take(200).collect()))
}

/// The registry of a reference, as host and port.
pub(super) fn host(reference: &Reference) -> Result<super::address::Host, Failure> {
    super::address::host(reference.resolve_registry(), 443).map_err(|refusal| refusal.at(Stage::Resolve))
}

fn at_mirror(mirror: &str, reference: &Reference) -> Reference {
    let (mirror, repository) = (mirror.to_owned(), reference.repository().to_owned());
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => Reference::with_digest(mirror, repository, digest.to_owned()),
        (None, tag) => Reference::with_tag(mirror, repository, tag.unwrap_or("latest").to_owned()),
    }
}

impl Image {
    /// Reads the configuration of an image.
    pub(super) fn read(config: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(serde_json::from_slice::<Config>(config)?.image())
    }
}

/// The fields of an image configuration that we use. All other fields may have any shape.
#[derive(serde::Deserialize)]
struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default, rename = "config")]
    execution: Option<Execution>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    user: Option<String>,
    exposed_ports: Option<std::collections::BTreeMap<String, serde_json::Value>>,
}

impl Config {
    fn image(self) -> Image {
        let execution = self.execution.unwrap_or_default();
        let exposed = execution.exposed_ports.unwrap_or_default();
        let mut ports: Vec<u16> = exposed.keys().filter_map(|port| tcp(port)).collect();
        ports.sort_unstable();
        ports.dedup();
        ports.truncate(32);
        Image {
            user: execution.user.unwrap_or_default(),
            platform: format!("{}/{}", self.os, self.architecture),
            ports,
            ..Image::default()
        }
    }
}

fn tcp(port: &str) -> Option<u16> {
    port.strip_suffix("/tcp").unwrap_or(port).parse().ok().filter(|&port| port > 0)
}

/// An error and its causes: the outermost message alone never says "connection refused".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    shortened(&printable(&text), 500)
}

fn certificates(pem: &str) -> Vec<Certificate> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = pem.split_inclusive(END).filter(|block| block.contains(END));
    blocks
        .map(|block| Certificate { encoding: CertificateEncoding::Pem, data: block.as_bytes().to_vec() })
        .collect()
}

#[cfg(test)]
pub(in crate::builder) mod tests;
