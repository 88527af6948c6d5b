//! HTTP client of the embedded registry: lists its content and deletes manifests. The content is untrusted, so names
//! and sizes are checked before use.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::distribution::{DIGEST, INDEX, LARGEST, MANIFESTS, Page, is_digest, is_repository, is_tag};
use crate::protocol::registry_token::USER;

/// Repositories per page.
const PAGE: usize = 100;
/// Most repositories, and most tags per repository, that one sweep reads.
const MOST: usize = 10_000;
/// An empty index. To delete a manifest deletes its tags; not every registry can delete a tag alone.
const NOTHING: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// Why a request to the registry failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("the registry does not answer")]
    Request(#[from] reqwest::Error),
    /// It rejects deletes.
    #[error(
        "the registry rejects deletes. Set REGISTRY_STORAGE_DELETE_ENABLED=true in it, as the chart does"
    )]
    NoDeletes,
    /// An unexpected answer.
    #[error("the registry answered {what} with {why}")]
    Answer {
        /// The request.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// A registry that speaks plain HTTP.
pub struct Registry {
    client: Client,
    base: String,
    token: Option<String>,
}

/// A stored manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub kind: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Registry {
    /// The registry at `host[:port]`, to which `token` is the login.
    pub fn new(host: &str, token: Option<String>) -> Result<Self, Error> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("doce-operator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, base: format!("http://{host}/v2"), token })
    }

    /// Every repository, by name.
    pub async fn repositories(&self) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> = vec![];
        while found.len() < MOST {
            let last = found.last().map(|last| format!("&last={last}")).unwrap_or_default();
            let page = self.page(&format!("_catalog?n={PAGE}{last}")).await?.repositories.unwrap_or_default();
            let before = found.len();
            let newer = |name: &String| is_repository(name) && found.last().is_none_or(|last| name > last);
            let news: Vec<String> = page.into_iter().filter(newer).collect();
            found.extend(news);
            if found.len() == before {
                break;
            }
        }
        Ok(found)
    }

    /// Every tag of a repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        let what = format!("{repository}/tags/list");
        let tags = self.page(&what).await?.tags.unwrap_or_default();
        if tags.len() > MOST {
            return Err(Error::Answer { what, why: format!("more than {MOST} tags") });
        }
        Ok(tags.into_iter().filter(|tag| is_tag(tag)).collect())
    }

    /// The digest that a tag points to; `None` if the tag no longer exists.
    pub async fn digest(&self, repository: &str, tag: &str) -> Result<Option<String>, Error> {
        let (what, request) = self.request(Method::HEAD, &format!("{repository}/manifests/{tag}"));
        let response = request.header(ACCEPT, MANIFESTS).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = expect(&what, response)?;
        let digest = response.headers().get(DIGEST).and_then(|digest| digest.to_str().ok());
        match digest.filter(|digest| is_digest(digest)) {
            Some(digest) => Ok(Some(digest.to_owned())),
            None => Err(Error::Answer { what, why: format!("no {DIGEST}") }),
        }
    }

    /// The manifest of a tag or digest; `None` if it no longer exists.
    pub async fn manifest(&self, repository: &str, tag: &str) -> Result<Option<Manifest>, Error> {
        let (what, request) = self.request(Method::GET, &format!("{repository}/manifests/{tag}"));
        let response = request.header(ACCEPT, MANIFESTS).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = expect(&what, response)?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let content = body(&what, response).await?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&content)));
        Ok(Some(Manifest { digest, kind, content }))
    }

    /// Removes a tag and keeps its manifest, so that no build finds the manifest by its tag.
    pub async fn untag(&self, repository: &str, tag: &str) -> Result<(), Error> {
        let nothing = Manifest {
            digest: format!("sha256:{}", hex::encode(Sha256::digest(NOTHING))),
            kind: INDEX.to_owned(),
            content: NOTHING.as_bytes().to_vec(),
        };
        self.tag(repository, tag, &nothing).await?;
        self.delete(repository, &nothing.digest).await
    }

    /// Points a tag to a manifest.
    pub async fn tag(&self, repository: &str, tag: &str, manifest: &Manifest) -> Result<(), Error> {
        let (what, request) = self.request(Method::PUT, &format!("{repository}/manifests/{tag}"));
        let request = request.header(CONTENT_TYPE, &manifest.kind).body(manifest.content.clone());
        expect(&what, request.send().await?).map(drop)
    }

    /// Deletes a manifest and every tag that points to it. It is no error if it is already gone.
    pub async fn delete(&self, repository: &str, digest: &str) -> Result<(), Error> {
        let (what, request) = self.request(Method::DELETE, &format!("{repository}/manifests/{digest}"));
        let response = request.send().await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED => Err(Error::NoDeletes),
            _ => expect(&what, response).map(drop),
        }
    }

    async fn page(&self, path: &str) -> Result<Page, Error> {
        let (what, request) = self.request(Method::GET, path);
        let response = request.send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Page::default()); // A repository without tags, or a registry without repositories.
        }
        let content = body(&what, expect(&what, response)?).await?;
        serde_json::from_slice(&content).map_err(|error| Error::Answer { what, why: error.to_string() })
    }

    fn request(&self, method: Method, path: &str) -> (String, RequestBuilder) {
        let what = format!("{method} {path}");
        let request = self.client.request(method, format!("{}/{path}", self.base));
        let request = match &self.token {
            Some(token) => request.basic_auth(USER, Some(token)),
            None => request,
        };
        (what, request)
    }
}

fn expect(what: &str, response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(Error::Answer { what: what.to_owned(), why: format!("status {status}") })
}

async fn body(what: &str, mut response: Response) -> Result<Vec<u8>, Error> {
    let mut content = vec![];
    while let Some(chunk) = response.chunk().await? {
        if content.len() + chunk.len() > LARGEST {
            let why = format!("more than {LARGEST} bytes");
            return Err(Error::Answer { what: what.to_owned(), why });
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}
