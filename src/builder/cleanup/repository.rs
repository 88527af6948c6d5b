//! The requests of image cleanup to a repository: list tags, resolve tags, delete manifests. Every request goes through
//! the client that checks addresses. Tokens are requested with the scope that the registry itself names.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Response, StatusCode, Url};

use crate::builder::credentials::Credentials;
use crate::builder::http::{self, Http, Question};
use crate::builder::oci::Registries;
use crate::builder::outcome::Failure;
use crate::builder::registry;
use crate::distribution::{DIGEST, LARGEST, MANIFESTS, Page, is_digest, is_tag};
use crate::protocol::order::cleanup::pushed;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Tags in one answer.
const PAGE: usize = 1000;
/// Most tags of a repository that are listed.
const MOST_TAGS: usize = 10_000;
/// Most tags created by others that are checked.
const MOST_OTHERS: usize = 200;

/// Why an image was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::builder) enum Error {
    /// The registry answered, and would answer the same next time.
    #[error("{0}")]
    Refused(String),
    /// No answer, or an unusable one.
    #[error("{0}")]
    Fault(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.reason {
            FailureReason::SourceUnreachable
            | FailureReason::SourceTooLarge
            | FailureReason::WorkspaceFailed => Self::Fault(failure.message),
            FailureReason::SourceAuthFailed => {
                Self::Refused("the registry does not accept the login".to_owned())
            }
            _ => Self::Refused(failure.message),
        }
    }
}

/// One repository of a registry.
pub(in crate::builder) struct Repository<'a> {
    http: &'a Http,
    push: &'a Credentials,
    host: String,
    path: String,
    base: String,
}

impl<'a> Repository<'a> {
    /// The repository `host[:port]/path`; over plain HTTP if it is `insecure`.
    pub(in crate::builder) fn new(
        http: &'a Http,
        push: &'a Credentials,
        repository: &str,
        insecure: bool,
    ) -> Result<Self, Error> {
        let parsed = registry::parse(repository).map_err(|error| Error::Refused(error.to_string()))?;
        registry::host(&parsed)?;
        let (host, path) = (parsed.resolve_registry().to_owned(), parsed.repository().to_owned());
        let scheme = if insecure { "http" } else { "https" };
        let base = format!("{scheme}://{host}/v2/{path}");
        Ok(Self { http, push, host, path, base })
    }

    /// A tag that no build created and that points to `digest`: deleting the manifest would remove it. Fails if not all
    /// tags can be checked.
    pub(in crate::builder) async fn other_tag(&self, digest: &str) -> Result<Option<String>, Error> {
        let others: Vec<String> =
            self.tags().await?.into_iter().filter(|tag| pushed(tag).is_none()).collect();
        if others.len() > MOST_OTHERS {
            let why = format!(
                "the repository has {} tags that doce-operator did not create and that may point to the image; it \
                 checks at most {MOST_OTHERS}",
                others.len()
            );
            return Err(Error::Refused(why));
        }
        for tag in others {
            if self.digest(&tag).await?.as_deref() == Some(digest) {
                return Ok(Some(tag));
            }
        }
        Ok(None)
    }

    /// The digest that a tag points to; none if the tag does not exist.
    pub(in crate::builder) async fn digest(&self, tag: &str) -> Result<Option<String>, Error> {
        let response = self.ask(Method::HEAD, &format!("manifests/{tag}"), None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = expect(response)?;
        let digest = digest(response.headers());
        digest
            .map(Some)
            .ok_or_else(|| Error::Refused(format!("the registry reports no digest for tag {tag}")))
    }

    /// Deletes a manifest and every tag that points to it; false if it did not exist.
    pub(in crate::builder) async fn delete(&self, digest: &str) -> Result<bool, Error> {
        let response = self.ask(Method::DELETE, &format!("manifests/{digest}"), None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED => {
                Err(Error::Refused(format!("the registry does not support deletion ({})", response.status())))
            }
            _ => expect(response).map(|_| true),
        }
    }

    async fn tags(&self) -> Result<BTreeSet<String>, Error> {
        let mut found = BTreeSet::new();
        let mut last = None;
        loop {
            let response = self.ask(Method::GET, "tags/list", Some((PAGE, last.as_ref()))).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(found); // The repository lost its last tag.
            }
            let response = expect(response)?;
            let more = has_next(response.headers());
            let body = http::text(response, LARGEST, Stage::Push).await?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| Error::Fault(format!("cannot read the list of tags: {error}")))?;
            let before = found.len();
            let tags: Vec<String> =
                page.tags.unwrap_or_default().into_iter().filter(|tag| is_tag(tag)).collect();
            last = tags.last().cloned();
            found.extend(tags);
            if found.len() == before {
                // Taking an incomplete list for complete could delete a tag of someone else.
                let why = "the registry reports more tags but does not list them";
                return if more { Err(Error::Refused(why.to_owned())) } else { Ok(found) };
            }
            if found.len() > MOST_TAGS {
                return Err(Error::Refused(format!("the repository has more than {MOST_TAGS} tags")));
            }
        }
    }

    /// Sends the request without a login first: the answer of the registry names the scope that a token needs.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        page: Option<(usize, Option<&String>)>,
    ) -> Result<Response, Error> {
        let mut url: Url = http::named(&format!("{}/{path}", self.base), Stage::Push)?;
        if let Some((size, last)) = page {
            url.query_pairs_mut().append_pair("n", &size.to_string());
            if let Some(last) = last {
                url.query_pairs_mut().append_pair("last", last);
            }
        }
        let question = Question { accept: Some(MANIFESTS), ..Question::default() };
        let response = self.http.send(method.clone(), &url, question, Stage::Push).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let registries = Registries { http: self.http, credentials: self.push, plain: &[] };
        let answer = registries.answer(&response, &url, &self.host, &self.path).await?;
        let Some(authorization) = answer else { return Ok(response) };
        let question = Question { authorization: Some(&authorization), ..question };
        Ok(self.http.send(method, &url, question, Stage::Push).await?)
    }
}

fn expect(response: Response) -> Result<Response, Error> {
    let status = response.status();
    match status.as_u16() {
        200..=299 => Ok(response),
        401 | 403 => Err(Error::Refused(format!("the registry does not allow the deletion ({status})"))),
        _ => Err(Error::Fault(format!("the registry answers with {status}"))),
    }
}

/// Whether the registry announces another page.
fn has_next(headers: &HeaderMap) -> bool {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|link| link.to_str().ok())
        .any(|link| link.contains("rel=\"next\""))
}

fn digest(headers: &HeaderMap) -> Option<String> {
    let digest = headers.get(DIGEST)?.to_str().ok()?;
    is_digest(digest).then(|| digest.to_owned())
}
