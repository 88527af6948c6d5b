//! Which requests the proxy passes on. Pure.

use http::{Method, StatusCode};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// A health check of the proxy itself.
    Alive,
    /// The proxy requests this path from the registry.
    Passed(&'a str),
    /// Status, code of the OCI distribution specification, and message for people.
    Refused(StatusCode, &'static str, String),
}

/// Longest path in bytes: a name of 255 characters and a digest.
const LONGEST: usize = 512;

/// Decides about a request. Reads of manifests and blobs pass, and the check whether this is a registry. Lists of
/// repositories and tags do not pass: a container runtime does not need them. The query is dropped.
pub(super) fn read<'a>(method: &Method, path: &'a str) -> Answer<'a> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let message =
            format!("{method} is not allowed: this proxy only reads images, and build pods push them");
        return Answer::Refused(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    }
    match path {
        "/livez" => Answer::Alive,
        "/v2/" | "/v2" => Answer::Passed("/v2/"),
        _ if is_content(path) => Answer::Passed(path),
        _ => {
            let message = "this proxy serves only manifests and blobs".to_owned();
            Answer::Refused(StatusCode::NOT_FOUND, "UNSUPPORTED", message)
        }
    }
}

/// Whether a path is `/v2/<name>/manifests/<tag or digest>` or `/v2/<name>/blobs/<digest>`, without anything that
/// another program could interpret differently.
fn is_content(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/".contains(&byte);
    let Some((name, reference)) = path.strip_prefix("/v2/").and_then(|rest| rest.rsplit_once('/')) else {
        return false;
    };
    let digest = reference.contains(':');
    let known = name.ends_with("/manifests") || name.ends_with("/blobs") && digest;
    let walks = path[1..].split('/').any(|part| part.is_empty() || part.starts_with('.'));
    known && !walks && path.len() <= LONGEST && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789012345678901234567890123456789012345678901234567890123";

    #[test]
    fn requests_of_a_container_runtime_pass() {
        for path in [
            "/v2/".to_owned(),
            "/v2/tenant/shop/manifests/latest".to_owned(),
            format!("/v2/tenant/shop/manifests/{DIGEST}"),
            format!("/v2/tenant/shop/blobs/{DIGEST}"),
        ] {
            assert_eq!(read(&Method::GET, &path), Answer::Passed(&path));
            assert_eq!(read(&Method::HEAD, &path), Answer::Passed(&path));
        }
    }

    #[test]
    fn write_requests_are_rejected() {
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE, Method::CONNECT] {
            let answer = read(&method, "/v2/tenant/shop/manifests/latest");
            assert!(matches!(answer, Answer::Refused(StatusCode::METHOD_NOT_ALLOWED, ..)), "{method}");
        }
    }

    #[test]
    fn other_reads_are_rejected() {
        for path in [
            "/",
            "/v2/_catalog",
            "/v2/tenant/shop/tags/list",
            "/v2/tenant/shop/blobs/uploads/0123",
            "/v2/tenant/shop/blobs/uploads",
            "/v2/tenant/../_catalog/manifests/x",
            "/v2/tenant//manifests/x",
            "/v2/tenant/shop/manifests/",
            "/v2/tenant/%2e%2e/manifests/x",
            "/v2/tenant/shop/manifests/x?y",
            "/debug/pprof/manifests/x",
            "/metrics",
        ] {
            assert!(matches!(read(&Method::GET, path), Answer::Refused(StatusCode::NOT_FOUND, ..)), "{path}");
        }
        let long = format!("/v2/{}/manifests/x", "a".repeat(LONGEST));
        assert!(matches!(read(&Method::GET, &long), Answer::Refused(..)));
    }
}
