//! The whole content of a registry repository, as readable by anyone who may pull.

use std::collections::BTreeSet;
use std::io::Read as _;

use reqwest::{Certificate, Client, Response};
use serde_json::Value;

use crate::authority::authority;
use crate::harness::World;
use crate::private_registry::PASSWORD;

const KINDS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A repository.
pub struct Stored {
    client: Client,
    url: String,
    user: &'static str,
    password: String,
}

impl Stored {
    /// A repository of the embedded registry, read with a token of the namespace.
    pub async fn embedded(world: &World, path: &str) -> Self {
        let registry = world.registry("registry").await;
        let client = Client::builder().no_proxy().build().unwrap();
        let password = world.registry_token().await;
        Self { client, url: format!("http://{registry}/v2/{path}"), user: "any", password }
    }

    /// A repository of a registry from [`World::registry_with_login`].
    pub fn private(registry: &str, path: &str) -> Self {
        let ca = Certificate::from_pem(&std::fs::read(authority().certificate()).unwrap()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        let password = PASSWORD.to_owned();
        Self { client, url: format!("https://{registry}/v2/{path}"), user: "ada", password }
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let request = self.client.get(format!("{}/{path}", self.url)).header("Accept", KINDS);
        let request = request.basic_auth(self.user, Some(&self.password));
        let answer = request.send().await.and_then(Response::error_for_status).unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    /// Everything that the tags refer to, each under its first tag: manifests, configurations, and decompressed layers.
    pub async fn everything(&self) -> Vec<(String, String)> {
        let tags: Value = serde_json::from_slice(&self.get("tags/list").await).unwrap();
        let tags = tags["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned());
        let mut open: Vec<(String, String)> = tags.map(|tag| (format!("manifests/{tag}"), tag)).collect();
        let (mut seen, mut found) = (BTreeSet::new(), vec![]);
        while let Some((path, tag)) = open.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let bytes = self.get(&path).await;
            if path.starts_with("manifests/") {
                let inner = named(&serde_json::from_slice(&bytes).unwrap());
                open.extend(inner.into_iter().map(|path| (path, tag.clone())));
            }
            found.push((format!("{path} of {tag}"), readable(&path, &bytes)));
        }
        found
    }
}

/// The digests in a manifest or index.
fn named(manifest: &Value) -> Vec<String> {
    let digests = |field: &str, kind: &str| {
        let field = &manifest[field];
        let entries = field.as_array().cloned().unwrap_or_else(|| vec![field.clone()]);
        let digests = entries.iter().filter_map(|entry| entry["digest"].as_str());
        digests.map(|digest| format!("{kind}/{digest}")).collect::<Vec<_>>()
    };
    [digests("manifests", "manifests"), digests("config", "blobs"), digests("layers", "blobs")].concat()
}

fn readable(path: &str, bytes: &[u8]) -> String {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    assert!(!bytes.starts_with(&ZSTD), "{path} has an unknown compression, so the search would find nothing");
    if !bytes.starts_with(&GZIP) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut inside = vec![];
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut inside).unwrap();
    String::from_utf8_lossy(&inside).into_owned()
}
