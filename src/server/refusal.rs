//! What the API server's refusals mean for the caller. Pure.

use http::StatusCode;
use http_body_util::LengthLimitError;
use kube::core::Status;

use super::problem::{FieldProblem, Problem};
use crate::text::with_causes;

/// How the API server begins its refusal of a server-side apply with an unknown field, or a field of another type.
const UNTYPED: &str = "failed to create typed patch object";

/// The problem behind an error of a request to the API server. `matched` says that the request had the header `If-Match`.
#[must_use]
pub(super) fn problem(error: &kube::Error, matched: bool) -> Problem {
    match error {
        kube::Error::Api(status) => of_status(status, matched),
        other if is_too_large(other) => too_large(),
        other => {
            tracing::warn!(error = with_causes(other), "the API server does not answer");
            Problem::unavailable("the API server does not answer: try again")
        }
    }
}

/// The API server's answer is larger than this server keeps.
#[must_use]
pub(super) fn too_large() -> Problem {
    let detail = "the API server's answer is larger than 8 MiB: read the objects with kubectl, and delete those of no use";
    Problem::new(StatusCode::BAD_GATEWAY, detail)
}

fn is_too_large(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn of_status(status: &Status, matched: bool) -> Problem {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::BAD_GATEWAY);
    match code {
        StatusCode::UNAUTHORIZED => Problem::bad_token(),
        StatusCode::CONFLICT if matched && !is_conflict_of_fields(status) => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "the project has changed since you read it (If-Match): read it again and repeat the request",
        ),
        // A field that the definition does not have: the API server calls it an error of its own.
        StatusCode::INTERNAL_SERVER_ERROR if status.message.starts_with(UNTYPED) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, said(status))
        }
        // The next page of a list that is older than the API server's memory.
        StatusCode::GONE => Problem::unavailable(said(status)),
        StatusCode::TOO_MANY_REQUESTS => Problem::too_many(said(status), 1),
        code if code.is_client_error() => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let errors = causes
                .filter(|cause| !cause.field.is_empty())
                .map(|cause| FieldProblem { field: cause.field.clone(), detail: cause.message.clone() });
            Problem::new(code, said(status)).with_errors(errors.collect())
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Problem::unavailable(said(status)),
        _ => Problem::new(StatusCode::BAD_GATEWAY, said(status)),
    }
}

/// Another manager owns a field of a server-side apply.
fn is_conflict_of_fields(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "FieldManagerConflict")
}

fn said(status: &Status) -> String {
    match status.message.as_str() {
        "" => format!("the API server rejects the request: {}", status.reason),
        message => format!("the API server rejects the request: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, matched: bool) -> Problem {
        let status = Status { code, message: "why".to_owned(), ..Status::default() };
        problem(&kube::Error::Api(Box::new(status)), matched)
    }

    #[test]
    fn a_refusal_of_the_api_server_keeps_its_status_and_words() {
        for code in [400, 403, 404, 409, 422] {
            let problem = refused(code, false);
            assert_eq!((problem.status, problem.detail.contains("why")), (code, true));
        }
        assert_eq!(refused(401, false).status, 401);
    }

    #[test]
    fn a_field_that_the_definition_does_not_have_is_a_mistake_of_the_caller() {
        let message =
            "failed to create typed patch object (st/site): .spec.nonsense: field not declared in schema";
        let status = Status { code: 500, message: message.to_owned(), ..Status::default() };
        let refused = problem(&kube::Error::Api(Box::new(status)), false);
        assert!(refused.status == 422 && refused.detail.contains(".spec.nonsense"), "{}", refused.detail);
    }

    #[test]
    fn a_conflict_is_a_failed_precondition_only_with_if_match() {
        assert_eq!(refused(409, true).status, 412);
        assert_eq!(refused(409, false).status, 409);
        let status = serde_json::json!({
            "code": 409, "message": "why",
            "details": { "causes": [{ "reason": "FieldManagerConflict", "field": ".spec.replicas", "message": "m" }] },
        });
        let status: Status = serde_json::from_value(status).unwrap();
        let owned = problem(&kube::Error::Api(Box::new(status)), true);
        assert_eq!((owned.status, owned.errors.len()), (409, 1), "the field has another owner");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_a_bad_gateway() {
        use http_body_util::{BodyExt as _, Full, Limited};
        let body = Limited::new(Full::new(axum::body::Bytes::from_static(b"too long")), 3);
        let error = kube::Error::Service(body.collect().await.unwrap_err());
        assert_eq!(problem(&error, false).status, 502);
    }

    #[test]
    fn an_api_server_that_fails_is_a_bad_gateway_and_no_error_of_this_server() {
        assert_eq!(refused(500, false).status, 502);
        assert_eq!((refused(503, false).status, refused(410, false).status), (503, 503));
    }
}
