//! Finds the server of the large files of a repository, and filters the headers for it. Texts only; it sends no
//! request.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};

use crate::builder::address;
use crate::builder::git::modules;
use crate::builder::http;
use crate::builder::log::{printable, shortened};
use crate::builder::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Most headers that a server may require, and the longest value.
const MAX_HEADERS: usize = 32;
const MAX_HEADER: usize = 8 << 10;
/// Headers that only the client sets: the host, the length of a message, and the handling of the connection.
const OWN: [&str; 10] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "range",
];

/// A server, and how to authenticate there.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Server {
    /// URL of batch requests.
    pub(in crate::builder) batch: Url,
    /// Sent only to this host.
    pub(in crate::builder) authorization: Option<String>,
    /// Headers that the host of the repository returned for it.
    pub(in crate::builder) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Server {
    /// The server at `url`, which is `…/info/lfs` or a URL from the source.
    pub(in crate::builder) fn at(url: &str) -> Result<Self, Failure> {
        let mut batch = http::named(url, Stage::Fetch)?;
        let path = format!("{}/objects/batch", batch.path().trim_end_matches('/'));
        batch.set_path(&path);
        Ok(Self { batch, authorization: None, headers: vec![] })
    }

    /// The same server, with an authorization header.
    pub(in crate::builder) fn with(self, authorization: Option<String>) -> Self {
        Self { authorization, ..self }
    }

    /// The failure when the server returned no list of objects.
    pub(super) fn refused(&self, status: StatusCode, answer: &[u8]) -> Failure {
        let url = self.shown();
        let said = said(answer);
        let (reason, message) = match status.as_u16() {
            401 | 403 => (
                FailureReason::SourceAuthFailed,
                format!(
                    "the Git LFS server at {url} requires credentials or rejected those given{said}. Correct the \
                     Secret in spec.source.git.secretRef, or allow its token to read large files"
                ),
            ),
            404 | 410 | 501 => (
                FailureReason::LargeFileMissing,
                format!(
                    "there is no Git LFS server at {url}{said}. Set the right one in .lfsconfig, or commit the files \
                     without LFS"
                ),
            ),
            code @ 300..=399 => (
                FailureReason::SourceForbidden,
                format!(
                    "the Git LFS server at {url} redirects ({code}), and redirects are not followed. Write the final \
                     URL into spec.source.git.url or into .lfsconfig"
                ),
            ),
            code => (
                FailureReason::SourceUnreachable,
                format!("the Git LFS server at {url} answers with status {code}{said}. Check that it works"),
            ),
        };
        Failure::new(Stage::Fetch, reason, message)
    }

    /// Its URL for messages.
    pub(in crate::builder) fn shown(&self) -> String {
        http::shown(&self.batch).trim_end_matches("/objects/batch").to_owned()
    }
}

/// The message in the response of the server, shortened.
fn said(answer: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let message = answer["message"].as_str().map(printable).filter(|message| !message.trim().is_empty());
    message.map(|message| format!(" ({:?})", shortened(message.trim(), 200))).unwrap_or_default()
}

/// The default URL of the server of a repository over http or https; over ssh, an https URL on the same host.
pub(in crate::builder) fn guess(repository: &str) -> String {
    let plain = if repository.starts_with("http://") || repository.starts_with("https://") {
        repository.to_owned()
    } else {
        let rest = repository.strip_prefix("ssh://").unwrap_or(repository);
        let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
        let (host, path) = if repository.starts_with("ssh://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            // The port is the one of ssh; an address in brackets ends with its bracket.
            let host = match authority.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
                _ => authority,
            };
            (host, path)
        } else {
            rest.split_once(':').unwrap_or((rest, ""))
        };
        format!("https://{host}/{}", path.trim_start_matches('/'))
    };
    let plain = plain.trim_end_matches('/');
    format!("{}.git/info/lfs", plain.strip_suffix(".git").unwrap_or(plain))
}

/// The URL that `.lfsconfig` names, in the output of `git config --list -z`. Its address is checked on each request.
pub(in crate::builder) fn named(listing: &[u8]) -> Result<Option<String>, Failure> {
    let value = |name: &str| {
        listing.split(|&byte| byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()).find_map(
            |entry| entry.split_once('\n').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()),
        )
    };
    let Some(url) = value("lfs.url").or_else(|| value("remote.origin.lfsurl")) else { return Ok(None) };
    match address::parse(&url) {
        Ok(_) => Ok(Some(url)),
        Err(refusal) => {
            let message = format!(".lfsconfig names the server {:?}: {refusal}", modules::shown(&url));
            Err(Failure::new(Stage::Verify, FailureReason::SourceForbidden, message))
        }
    }
}

/// The headers that a server requires, without those that only the client sets; or what is wrong with them.
pub(super) fn headers(
    wanted: &serde_json::Map<String, serde_json::Value>,
) -> Result<Vec<(HeaderName, HeaderValue)>, &'static str> {
    if wanted.len() > MAX_HEADERS {
        return Err("asks for too many headers");
    }
    let mut headers = Vec::new();
    for (name, value) in wanted {
        let name: HeaderName = name.parse().map_err(|_| "asks for an invalid header")?;
        if OWN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            continue;
        }
        let value = value.as_str().filter(|value| value.len() <= MAX_HEADER);
        let value = value.and_then(|value| HeaderValue::from_str(value).ok());
        let mut value = value.ok_or("asks for an invalid header")?;
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_server_is_below_the_repository_url() {
        for (repository, server) in [
            ("https://h/you/shop", "https://h/you/shop.git/info/lfs"),
            ("https://h:8443/you/shop.git/", "https://h:8443/you/shop.git/info/lfs"),
            ("http://h/shop/.git", "http://h/shop/.git/info/lfs"),
            ("git@h:you/shop.git", "https://h/you/shop.git/info/lfs"),
            ("git@h:/you/shop", "https://h/you/shop.git/info/lfs"),
            ("ssh://git@h:2222/you/shop.git", "https://h/you/shop.git/info/lfs"),
            ("ssh://h/you/shop", "https://h/you/shop.git/info/lfs"),
            ("ssh://git@[fd00::1]:22/shop", "https://[fd00::1]/shop.git/info/lfs"),
            ("ssh://git@[fd00::1]/shop", "https://[fd00::1]/shop.git/info/lfs"),
        ] {
            assert_eq!(guess(repository), server, "{repository}");
        }
        let server = Server::at("https://h/you/shop.git/info/lfs/").unwrap();
        assert_eq!(server.batch.as_str(), "https://h/you/shop.git/info/lfs/objects/batch");
        assert_eq!(server.shown(), "https://h/you/shop.git/info/lfs");
    }

    #[test]
    fn a_server_named_by_the_source_must_use_http_without_a_password() {
        let read = |url: &str| named(format!("lfs.url\n{url}\0lfs.fetchexclude\n*").as_bytes());
        assert_eq!(read("https://lfs.example/shop").unwrap().as_deref(), Some("https://lfs.example/shop"));
        assert_eq!(named(b"core.x\ny\0").unwrap(), None);
        for url in
            ["ssh://git@h/shop", "file:///etc", "https://ada:planted@h/shop", "https://h/x?y", "", "../x"]
        {
            let failure = read(url).unwrap_err();
            assert_eq!(failure.reason, FailureReason::SourceForbidden, "{url}");
            assert!(failure.message.starts_with(".lfsconfig names") && !failure.message.contains("planted"));
        }
    }

    #[test]
    fn headers_from_a_server_never_change_the_target_host() {
        let read = |value: serde_json::Value| headers(value.as_object().unwrap());
        let kept = read(json!({ "Authorization": "Basic x", "Host": "metadata", "content-length": "9",
            "Proxy-Authorization": "y", "X-Amz-Date": "z" }))
        .unwrap();
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "x-amz-date"]);
        assert!(read(json!({ "A": "x\r\nHost: y" })).is_err());
        assert!(read(json!({ "A B": "x" })).is_err());
        assert!(read(json!({ "A": 1 })).is_err());
        assert!(read(json!({ "A": "x".repeat(9000) })).is_err());
        let many = (0..40).map(|number| (format!("x-{number}"), json!("y"))).collect();
        assert!(headers(&many).is_err());
    }

    #[test]
    fn a_failed_response_says_what_to_do() {
        let server = Server::at("https://h/shop.git/info/lfs").unwrap();
        let failure =
            |code: u16, answer: &str| server.refused(StatusCode::from_u16(code).unwrap(), answer.as_bytes());
        for (code, reason) in [
            (401, FailureReason::SourceAuthFailed),
            (403, FailureReason::SourceAuthFailed),
            (404, FailureReason::LargeFileMissing),
            (301, FailureReason::SourceForbidden),
            (429, FailureReason::SourceUnreachable),
            (507, FailureReason::SourceUnreachable),
        ] {
            let failure = failure(code, r#"{"message":"over quota"}"#);
            assert_eq!(failure.reason, reason, "{code}");
            assert!(failure.message.contains("https://h/shop.git/info/lfs"), "{failure}");
        }
        assert!(failure(429, r#"{"message":"over quota"}"#).message.contains("(\"over quota\")"));
        assert!(!failure(429, "<html>").message.contains("html"));
    }
}
