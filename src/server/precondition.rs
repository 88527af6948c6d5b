//! `ETag`, `If-Match` and `Idempotency-Key`. Pure.

use http::{HeaderMap, HeaderValue, header};

use super::problem::Problem;

/// Longest token of a request.
const MAX_KEY: usize = 128;

/// The version that a project must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IfMatch {
    /// Its resource version; none: any.
    pub version: Option<String>,
    /// The project must exist.
    pub exists: bool,
}

impl IfMatch {
    /// Of the header `If-Match`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Self::default()) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self { exists: true, version: None });
        }
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match version {
            Some(version) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self { exists: true, version: Some(version.to_owned()) })
            }
            _ => Err(Problem::bad_request(
                "If-Match is not an ETag of this API: send the ETag of a GET, such as \"4711\"",
            )),
        }
    }
}

/// The `ETag` of a version.
#[must_use]
pub(super) fn etag(version: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}

/// The client has this version already.
#[must_use]
pub(super) fn has(headers: &HeaderMap, version: u64) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == format!("\"{version}\""))
}

/// The token of a request, of the header `Idempotency-Key`; none without it.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim_matches('"');
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'@';
    if text.is_empty() || text.len() > MAX_KEY || !text.bytes().all(plain) {
        let detail = format!(
            "Idempotency-Key must have 1 to {MAX_KEY} printable characters without spaces and @: use a UUID"
        );
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(text.to_owned()))
}

/// The resource version of the header `Last-Event-ID`; none without it.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let version = text.parse().ok();
    version.map(Some).ok_or_else(|| {
        Problem::bad_request("Last-Event-ID is not an id of this stream: send the last id that you got")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn if_match_is_an_etag_of_this_api_or_anything() {
        let of = |value| IfMatch::of(&headers("if-match", value)).map(|it| it.version);
        assert_eq!(of("\"17\"").unwrap().as_deref(), Some("17"));
        let any = IfMatch::of(&headers("if-match", "*")).unwrap();
        assert_eq!((any.exists, any.version), (true, None));
        assert_eq!(IfMatch::of(&HeaderMap::new()).unwrap(), IfMatch::default());
        for bad in ["17", "W/\"17\"", "\"x\"", "\"\"", "\"1\", \"2\""] {
            assert_eq!(of(bad).unwrap_err().status, 400, "{bad}");
        }
        assert!(has(&headers("if-none-match", "\"16\", W/\"17\""), 17) && !has(&HeaderMap::new(), 17));
    }

    #[test]
    fn the_token_of_a_request_is_short_and_does_not_change_the_argument() {
        let of = |value: &str| idempotency_key(&headers("idempotency-key", value));
        assert_eq!(of("\"8e03978e\"").unwrap().as_deref(), Some("8e03978e"));
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        for bad in ["", "a@b", "a b", &"a".repeat(MAX_KEY + 1)] {
            assert_eq!(of(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn the_last_event_id_is_a_resource_version() {
        let of = |value| last_event_id(&headers("last-event-id", value));
        assert_eq!((of("17").unwrap(), of("").unwrap()), (Some(17), None));
        assert_eq!(of("x").unwrap_err().status, 400);
    }
}
