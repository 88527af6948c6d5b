//! The paths of doce.dev's own front end, with its answers and status codes. `id` is `namespace.name`, or a name in the
//! server's default namespace.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::actions::{NoOptions, repeats, token_of, uid_of};
use super::projects::events;
use crate::crd::annotations::RequestKind;
use crate::crd::status::HistoryEntry;
use crate::request::Request;
use crate::server::answers::{Reads, Writes};
use crate::server::body;
use crate::server::caller::Token;
use crate::server::extract::Sent;
use crate::server::precondition::IfMatch;
use crate::server::problem::Problem;
use crate::server::production::{Look, Production, State as Word};
use crate::server::site::Site;
use crate::server::writes::{self, How};
use crate::server::{Server, reads};

type Answer = Result<Response, Problem>;

/// Time for a rollback, whose answer says that it is done. A version that is kept needs no build.
const ROLLBACK: Duration = Duration::from_mins(1);

fn site(server: &Server, id: &str) -> Result<Site, Problem> {
    Site::of_id(id, server.default_namespace.as_deref())
}

fn production(object: &Value) -> Response {
    Json(Look::at(object).while_it_serves()).into_response()
}

/// Read the state of the production deployment.
#[utoipa::path(
    get, path = "/api/projects/{id}/production", tag = "doce.dev",
    params(("id" = String, Path, description = "namespace.name, or a name in the default namespace")),
    responses((status = 200, description = "Its state", body = Production), Reads),
)]
pub(super) async fn get_production(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
) -> Answer {
    let held = reads::project(&server, &token, &site(&server, &id)?).await?;
    Ok(production(&held.object))
}

/// Watch a deployment: the same events as of the project, until nothing is in progress.
#[utoipa::path(
    get, path = "/api/projects/{id}/production-stream", tag = "doce.dev",
    params(
        ("id" = String, Path, description = "namespace.name, or a name in the default namespace"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got"),
    ),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String), Reads),
)]
pub(super) async fn watch_production(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let site = site(&server, &id)?;
    events(&server, token, &site, &headers, true).await
}

/// Build and deploy. If a deployment waits or runs, this answers its state. If the project serves, this answers its state and
/// looks up the source: a new version is deployed, the same one is not.
#[utoipa::path(
    post, path = "/api/projects/{id}/deploy", tag = "doce.dev",
    params(("id" = String, Path, description = "namespace.name, or a name in the default namespace")),
    request_body(content = Option<NoOptions>, content_type = "application/json"),
    responses((status = 200, description = "Its state", body = Production), Writes),
)]
pub(super) async fn deploy_production(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answer {
    let site = site(&server, &id)?;
    let _: NoOptions = body::options(&headers, &sent.bytes)?;
    let held = reads::project(&server, &token, &site).await?;
    let before = Look::at(&held.object).production();
    if matches!(before.status, Word::Queued | Word::Building) {
        return Ok(production(&held.object));
    }
    if let Some(held) = repeats(&server, &token, &site, &headers, &Request::deploy()).await? {
        return Ok(production(&held.object));
    }
    let key = token_of(&headers)?;
    let mut patch = Request::deploy().patch(&key);
    if matches!(before.status, Word::Failed | Word::Error) {
        patch["metadata"]["annotations"][RequestKind::Retry.annotation()] =
            json!(Request::retry().value(&key));
    }
    if before.status == Word::Stopped {
        patch["spec"]["state"] = json!("Running");
    }
    let object = writes::patch(&server, &token, &site, (How::Merge, patch), &IfMatch::default()).await?;
    server.asked.note(&uid_of(&object), RequestKind::Deploy, &Request::deploy().value(&key));
    Ok(production(if before.status == Word::Running { &held.object } else { &object }))
}

/// Stop the production deployment. Its versions stay.
#[utoipa::path(
    post, path = "/api/projects/{id}/stop-production", tag = "doce.dev",
    params(("id" = String, Path, description = "namespace.name, or a name in the default namespace")),
    request_body(content = Option<NoOptions>, content_type = "application/json"),
    responses((status = 200, description = "Its state", body = Production), Writes),
)]
pub(super) async fn stop_production(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answer {
    let site = site(&server, &id)?;
    let _: NoOptions = body::options(&headers, &sent.bytes)?;
    let patch = json!({ "spec": { "state": "Stopped" } });
    let object = writes::patch(&server, &token, &site, (How::Merge, patch), &IfMatch::default()).await?;
    Ok(production(&object))
}

/// A version to roll back to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptVersion {
    /// The version, 8 hex digits.
    #[schema(example = "b2c3d4e5")]
    hash: String,
    /// It serves.
    is_active: bool,
    /// When it was deployed.
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
}

/// Versions to roll back to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// The versions that were live, newest first.
    versions: Vec<KeptVersion>,
}

fn versions(look: &Look<'_>) -> Vec<KeptVersion> {
    let active = look.status.version.as_deref();
    let live = |entry: &&HistoryEntry| matches!(entry.state.as_str(), "Serving" | "Live");
    let version = |entry: &HistoryEntry| KeptVersion {
        hash: entry.version.trim_start_matches('v').to_owned(),
        is_active: active == Some(entry.version.as_str()),
        created_at: entry.created_at.as_ref().map(|time| time.0.to_string()),
    };
    look.status.history.iter().filter(live).map(version).collect()
}

/// List the versions to roll back to.
#[utoipa::path(
    get, path = "/api/projects/{id}/production-history", tag = "doce.dev",
    params(("id" = String, Path, description = "namespace.name, or a name in the default namespace")),
    responses((status = 200, description = "The versions", body = History), Reads),
)]
pub(super) async fn production_history(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
) -> Answer {
    let held = reads::project(&server, &token, &site(&server, &id)?).await?;
    Ok(Json(History { versions: versions(&Look::at(&held.object)) }).into_response())
}

/// Which version to roll back to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rollback {
    /// The version, as in the history.
    #[schema(example = "a1b2c3d4")]
    to_hash: String,
}

/// A rollback that is done.
#[derive(Serialize, ToSchema)]
pub(super) struct RolledBack {
    /// Always true.
    success: bool,
    /// The version.
    hash: String,
    /// The same in words.
    message: String,
}

/// Roll back to another version. The answer comes when it serves.
#[utoipa::path(
    post, path = "/api/projects/{id}/rollback-production", tag = "doce.dev",
    params(("id" = String, Path, description = "namespace.name, or a name in the default namespace")),
    request_body(content = Rollback, content_type = "application/json"),
    responses(
        (status = 200, description = "The version serves", body = RolledBack),
        (status = 500, description = "The rollback failed", body = crate::server::problem::Problem, content_type = "application/problem+json"),
        Writes,
    ),
)]
pub(super) async fn rollback_production(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answer {
    let site = site(&server, &id)?;
    if sent.bytes.is_empty() {
        return Err(Problem::bad_request("the body must have toHash: a version of production-history"));
    }
    let Rollback { to_hash } = body::options(&headers, &sent.bytes)?;
    let held = reads::project(&server, &token, &site).await?;
    let known = versions(&Look::at(&held.object));
    let hash = to_hash.strip_prefix('v').unwrap_or(&to_hash);
    let Some(target) = known.into_iter().find(|version| version.hash == hash) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "production-history has no version toHash"));
    };
    if target.is_active {
        return Err(Problem::bad_request(format!("version {hash} is already active")));
    }
    let request = Request::rollback(&format!("v{hash}"));
    let key = token_of(&headers)?;
    let mut patch = request.patch(&key);
    if Look::at(&held.object).is_to_stop() {
        patch["spec"]["state"] = json!("Running");
    }
    let asked = match repeats(&server, &token, &site, &headers, &request).await? {
        Some(held) => held.object.clone(),
        None => writes::patch(&server, &token, &site, (How::Merge, patch), &IfMatch::default()).await?,
    };
    server.asked.note(&uid_of(&asked), RequestKind::Rollback, &request.value(&key));
    let waited =
        tokio::time::timeout(ROLLBACK, served(&server, &site, &asked, &request.value(&key), hash)).await;
    waited.map_err(|_| {
        failed(format!("the rollback to {hash} is requested, but the version did not serve within a minute: watch production-stream"))
    })??;
    let message = format!("Rolled back to version {hash}");
    Ok(Json(RolledBack { success: true, hash: hash.to_owned(), message }).into_response())
}

/// A rollback that did not come to its end.
fn failed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// Waits until the version serves, or the operator says why it does not.
async fn served(server: &Server, site: &Site, asked: &Value, value: &str, hash: &str) -> Result<(), Problem> {
    let seen = asked["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok());
    let projects = server.projects()?;
    let subscription = projects.store().subscribe(&site.key(), seen.map(|seen: u64| seen.saturating_sub(1)));
    let mut coming = subscription.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))?.coming;
    loop {
        let held = projects.store().get(&site.key());
        let held = held.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))?;
        let look = Look::at(&held.object);
        let handled = look.status.handled.get(RequestKind::Rollback.word());
        if let Some(handled) = handled.filter(|handled| handled.value == value) {
            if handled.outcome.starts_with("rejected") {
                return Err(failed(format!("the operator did not roll back: {}", handled.outcome)));
            }
            let production = look.production();
            let active =
                look.status.version.as_deref().is_some_and(|version| version.trim_start_matches('v') == hash);
            match production.status {
                Word::Running if active => return Ok(()),
                Word::Failed => return Err(failed(production.error.unwrap_or_default())),
                _ => {}
            }
        }
        // A receiver that lags has missed changes, and the next look sees the last one.
        if let Err(RecvError::Closed) = coming.recv().await {
            return Err(Problem::no_project(&site.namespace, &site.name));
        }
    }
}
