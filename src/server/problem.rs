//! Every error of the HTTP API: problem details (RFC 9457). Pure.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// An error, as problem details (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The name of the status.
    #[schema(example = "Forbidden")]
    pub title: String,
    /// The status code.
    #[schema(example = 403)]
    pub status: u16,
    /// What happened, why, and what to do.
    pub detail: String,
    /// The fields that are wrong, as the API server names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Headers of the answer.
    #[serde(skip)]
    headers: Vec<(&'static str, String)>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// The field, such as `spec.replicas`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem with this status and text.
    #[must_use]
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: vec![],
            headers: vec![],
        }
    }

    /// The request is malformed.
    #[must_use]
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The request has no bearer token.
    #[must_use]
    pub(super) fn no_token() -> Self {
        let detail = "the request has no bearer token: send the header Authorization: Bearer TOKEN, with a token \
                      that the API server accepts, such as from: kubectl create token ACCOUNT --namespace NAMESPACE";
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header("www-authenticate", "Bearer")
    }

    /// The API server does not accept the token.
    #[must_use]
    pub(super) fn bad_token() -> Self {
        let detail = "the API server does not accept the token: it has expired, or is not for this cluster";
        let challenge = "Bearer error=\"invalid_token\"";
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header("www-authenticate", challenge)
    }

    /// The token has more bytes than any that a cluster issues.
    #[must_use]
    pub(super) fn large_token(most: usize) -> Self {
        let detail = format!(
            "the bearer token is larger than {} KiB: send the token alone, not a file or a certificate",
            most / 1024
        );
        let challenge = "Bearer error=\"invalid_token\"";
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header("www-authenticate", challenge)
    }

    /// The caller lacks the right to `verb` a resource such as `pods/log`.
    #[must_use]
    pub(super) fn forbidden(verb: &str, resource: &str, namespace: &str, name: Option<&str>) -> Self {
        let object = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let role = if matches!(verb, "get" | "list" | "watch") { "view or edit" } else { "edit" };
        let detail = format!(
            "your token may not {verb} {resource}{object} in namespace \"{namespace}\": a role such as {role} in that \
             namespace allows it"
        );
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// There is no such project, or the server does not serve its namespace.
    #[must_use]
    pub(super) fn no_project(namespace: &str, name: &str) -> Self {
        let detail = format!("namespace \"{namespace}\" has no project \"{name}\"");
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// There is no such path.
    #[must_use]
    pub(super) fn no_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such path: /api/openapi.json lists all paths")
    }

    /// The caller sends too much.
    #[must_use]
    pub(super) fn too_many(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).with_header("retry-after", &seconds.to_string())
    }

    /// The API server or the operator does not answer.
    #[must_use]
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_header("retry-after", "5")
    }

    /// With these wrong fields.
    #[must_use]
    pub(super) fn with_errors(self, errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..self }
    }

    /// With another header.
    #[must_use]
    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_status_and_cause_in_its_media_type() {
        let response = Problem::no_token().into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let projects = "projectdeployments.doce.dev";
        let forbidden = Problem::forbidden("patch", projects, "shops", Some("site"));
        assert!(
            forbidden.detail.contains("patch projectdeployments.doce.dev \"site\""),
            "{}",
            forbidden.detail
        );
    }
}
