//! Actions: what people ask for once. Each answers 202 and says where to watch.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::crd::annotations::RequestKind;
use crate::request::Request;
use crate::server::answers::{Accepted, Writes};
use crate::server::body;
use crate::server::caller::Token;
use crate::server::extract::Sent;
use crate::server::observe::random;
use crate::server::precondition::{IfMatch, idempotency_key};
use crate::server::problem::Problem;
use crate::server::production::Look;
use crate::server::repeated::repeated;
use crate::server::site::Site;
use crate::server::store::Held;
use crate::server::writes::{self, How};
use crate::server::{Server, reads};

type Answer = Result<Response, Problem>;

/// Options of an action that has none.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoOptions {}

/// What to roll back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackOptions {
    /// A version such as v9f2c41d7, or `previous`.
    #[serde(default = "previous")]
    #[schema(default = "previous", pattern = "^(previous|v?[0-9a-f]{6,64})$")]
    version: String,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self { version: previous() }
    }
}

fn previous() -> String {
    "previous".to_owned()
}

/// What to cancel.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelOptions {
    /// Id of the build; by default the one that runs or waits.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    build: Option<String>,
}

/// A token that no earlier request has.
pub(super) fn token_of(headers: &HeaderMap) -> Result<String, Problem> {
    match idempotency_key(headers)? {
        Some(key) => Ok(key),
        None => random().ok_or_else(|| Problem::unavailable("the server has no random numbers: try again")),
    }
}

/// The argument of a request must not contain what separates it from its token.
pub(super) fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('v').unwrap_or(text);
    text == "previous"
        || (6..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn ask(
    server: &Server,
    token: &Token,
    site: &Site,
    headers: &HeaderMap,
    (action, request): (&'static str, &Request),
) -> Answer {
    let if_match = IfMatch::of(headers)?;
    if let Some(held) = repeats(server, token, site, headers, request).await? {
        let value = idempotency_key(headers)?.map(|key| request.value(&key));
        return Ok(accepted(action, value, site, &held.object));
    }
    let key = token_of(headers)?;
    let object = writes::patch(server, token, site, (How::Merge, request.patch(&key)), &if_match).await?;
    server.asked.note(&uid_of(&object), request.kind(), &request.value(&key));
    Ok(accepted(action, Some(request.value(&key)), site, &object))
}

/// The project, if the request has an idempotency key and was made before.
pub(super) async fn repeats(
    server: &Server,
    token: &Token,
    site: &Site,
    headers: &HeaderMap,
    request: &Request,
) -> Result<Option<Arc<Held>>, Problem> {
    match idempotency_key(headers)? {
        Some(key) => repeated(server, token, site, (request.kind(), &request.value(&key))).await,
        None => Ok(None),
    }
}

/// The uid of a project.
pub(super) fn uid_of(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

async fn set_state(
    server: &Server,
    token: &Token,
    site: &Site,
    headers: &HeaderMap,
    (action, state): (&'static str, &str),
) -> Answer {
    let patch = json!({ "spec": { "state": state } });
    let object = writes::patch(server, token, site, (How::Merge, patch), &IfMatch::of(headers)?).await?;
    Ok(accepted(action, None, site, &object))
}

fn accepted(action: &'static str, request: Option<String>, site: &Site, object: &Value) -> Response {
    let accepted = Accepted::new(action, request, &site.path(), object);
    let location = HeaderValue::from_str(accepted.watch());
    let mut answer = (StatusCode::ACCEPTED, Json(accepted)).into_response();
    if let Ok(location) = location {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident $path:literal $options:ident |$server:ident, $token:ident, $site:ident, $headers:ident, $given:ident| $act:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[utoipa::path(
                post, path = $path, tag = "actions",
                params(
                    ("namespace" = String, Path, description = "Namespace"),
                    ("project" = String, Path, description = "Name"),
                    ("If-Match" = Option<String>, Header, description = "ETag that the project must have"),
                    ("Idempotency-Key" = Option<String>, Header, description = "Token of the request: repeating it changes nothing"),
                ),
                request_body(content = Option<$options>, content_type = "application/json"),
                responses(
                    (status = 202, description = "The request is recorded: watch what it does", body = Accepted,
                        headers(("Location" = String, description = "Path of the stream of events"))),
                    Writes,
                ),
            )]
            pub(super) async fn $name(
                State(server): State<Arc<Server>>,
                token: Token,
                Path((namespace, project)): Path<(String, String)>,
                headers: HeaderMap,
                sent: Sent,
            ) -> Answer {
                let site = Site::new(namespace, project)?;
                let $given: $options = body::options(&headers, &sent.bytes)?;
                let ($server, $token, $site, $headers) = (&server, &token, &site, &headers);
                $act
            }
        )+
    };
}

actions! {
    /// Look up the source again, and deploy what it has now.
    deploy "/api/v1/namespaces/{namespace}/projects/{project}/deploy" NoOptions
    |server, token, site, headers, _given| {
        ask(server, token, site, headers, ("deploy", &Request::deploy())).await
    };
    /// Retry what failed.
    retry "/api/v1/namespaces/{namespace}/projects/{project}/retry" NoOptions
    |server, token, site, headers, _given| {
        ask(server, token, site, headers, ("retry", &Request::retry())).await
    };
    /// Replace the pods, without a new version.
    restart "/api/v1/namespaces/{namespace}/projects/{project}/restart" NoOptions
    |server, token, site, headers, _given| {
        ask(server, token, site, headers, ("restart", &Request::restart())).await
    };
    /// Roll back to an earlier version. It needs no build, and holds until the source yields another version.
    rollback "/api/v1/namespaces/{namespace}/projects/{project}/rollback" RollbackOptions
    |server, token, site, headers, given| {
        if !is_version(&given.version) {
            let detail = format!("version is {:?}, but must be a version such as v9f2c41d7, or previous", given.version);
            return Err(Problem::bad_request(detail));
        }
        ask(server, token, site, headers, ("rollback", &Request::rollback(&given.version))).await
    };
    /// Cancel a build that runs or waits.
    cancel "/api/v1/namespaces/{namespace}/projects/{project}/cancel" CancelOptions
    |server, token, site, headers, given| {
        let key = idempotency_key(headers)?;
        let build = build_to_cancel(server, token, site, given.build, key.as_deref()).await?;
        ask(server, token, site, headers, ("cancel", &Request::cancel(&build))).await
    };
    /// Stop the pods. Port and versions stay.
    stop "/api/v1/namespaces/{namespace}/projects/{project}/stop" NoOptions
    |server, token, site, headers, _given| set_state(server, token, site, headers, ("stop", "Stopped")).await;
    /// Start the pods again.
    start "/api/v1/namespaces/{namespace}/projects/{project}/start" NoOptions
    |server, token, site, headers, _given| set_state(server, token, site, headers, ("start", "Running")).await;
}

async fn build_to_cancel(
    server: &Server,
    token: &Token,
    site: &Site,
    given: Option<String>,
    key: Option<&str>,
) -> Result<String, Problem> {
    let wrong = |_| Problem::bad_request("build is not the id of a build: see status.build.id");
    let given = given.map(crate::server::site::name).transpose().map_err(wrong)?;
    // Only a repeated request and one without a build need to know the project.
    let held = match (&given, key) {
        (Some(given), None) => return Ok(given.clone()),
        _ => reads::project(server, token, site).await?,
    };
    let look = Look::at(&held.object);
    let before = key.and_then(|key| look.asked(RequestKind::Cancel, key));
    match (given, before) {
        (Some(given), Some(before)) if given != before => {
            let detail = format!(
                "this Idempotency-Key has cancelled build {before:?}: use another key for another build"
            );
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        (Some(build), _) | (None, Some(build)) => return Ok(build),
        (None, None) => {}
    }
    let build = look.status.build.filter(|build| build.finished_at.is_none());
    build.map(|build| build.id).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "no build runs or waits, so there is nothing to cancel")
    })
}
