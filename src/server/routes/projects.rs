//! Projects: list, create, get, patch, delete, status, events.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::server::Server;
use crate::server::answers::{ProjectDeployment, ProjectList, Reads, Status, Writes, version_of};
use crate::server::body::{self, Format};
use crate::server::caller::Token;
use crate::server::event_stream::{self, Listener};
use crate::server::extract::Sent;
use crate::server::labels::Labels;
use crate::server::precondition::{self, IfMatch, etag};
use crate::server::problem::Problem;
use crate::server::reads;
use crate::server::rights::Right;
use crate::server::site::{self, Site};
use crate::server::store::Held;
use crate::server::writes::{self, How};

/// Projects of a page, by default and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 500;

type Answer = Result<Response, Problem>;

/// Which projects to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct List {
    /// Projects of a page, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<usize>,
    /// `continue` of the page before.
    #[serde(rename = "continue")]
    after: Option<String>,
    /// Only projects with these labels: `key=value`, separated by commas.
    #[serde(rename = "labelSelector")]
    #[param(pattern = "^([^=!, ]+=[^,]*(,[^=!, ]+=[^,]*){0,15})?$")]
    labels: Option<String>,
}

/// List the projects of a namespace.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects", tag = "projects",
    params(("namespace" = String, Path, description = "Namespace"), List),
    responses((status = 200, description = "A page of projects", body = ProjectList), Reads),
)]
pub(super) async fn list_projects(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(namespace): Path<String>,
    Query(wanted): Query<List>,
) -> Answer {
    let namespace = site::namespace(namespace)?;
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is {limit}, but must be 1 to {LARGEST_PAGE}")));
    }
    let labels = Labels::parse(wanted.labels.as_deref().unwrap_or_default())?;
    server.rights.require(&token, Right::on_all("list", &namespace)).await?;
    let projects = server.projects()?;
    if !projects.serves(&namespace) {
        let detail = format!("this server serves only namespace \"{}\"", projects.namespace);
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let after = wanted.after.map(|name| (namespace.clone(), name));
    let (held, more) =
        projects.store().page(&namespace, after.as_ref(), limit, |object| labels.match_object(object));
    let name = |held: &Held| held.object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let next = held.last().filter(|_| more).map(|held| name(held));
    let (whole, large): (Vec<_>, Vec<_>) = held.iter().partition(|held| held.whole);
    let items = whole.iter().map(|held| held.object.clone()).collect();
    let too_large = large.iter().map(|held| name(held)).collect();
    Ok(Json(ProjectList { items, too_large, next }).into_response())
}

/// Create a project.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/projects", tag = "projects",
    params(("namespace" = String, Path, description = "Namespace")),
    request_body(content = ProjectDeployment, content_type = "application/json"),
    responses((status = 201, description = "The new project", body = ProjectDeployment), Writes),
)]
pub(super) async fn create_project(
    State(server): State<Arc<Server>>,
    token: Token,
    Path(namespace): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answer {
    let namespace = site::namespace(namespace)?;
    let object = body::placed(body::object(&headers, &sent.bytes)?, &namespace, None, true)?;
    let created = writes::create(&server, &token, &namespace, object).await?;
    let name = created["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let path = Site { namespace, name }.path();
    let mut answer = (StatusCode::CREATED, with_etag(&created)).into_response();
    if let Ok(location) = HeaderValue::from_str(&path) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    Ok(answer)
}

/// Read a project.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}", tag = "projects",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("If-None-Match" = Option<String>, Header, description = "ETag that you have: 304 if it is the newest"),
    ),
    responses(
        (status = 200, description = "The project", body = ProjectDeployment, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The project is the one of If-None-Match"),
        Reads,
    ),
)]
pub(super) async fn get_project(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let held = reads::whole_project(&server, &token, &Site::new(namespace, project)?).await?;
    if precondition::has(&headers, held.version) {
        let mut answer = StatusCode::NOT_MODIFIED.into_response();
        if let Some(tag) = etag(&held.version.to_string()) {
            answer.headers_mut().insert(header::ETAG, tag);
        }
        return Ok(answer);
    }
    Ok(with_etag(&held.object))
}

/// How to apply a patch.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Apply {
    /// Server-side apply: take fields that another manager owns.
    #[serde(default)]
    #[param(required = false)]
    force: bool,
}

/// Change a project: by a merge patch, or by server-side apply, which also creates it.
#[utoipa::path(
    patch, path = "/api/v1/namespaces/{namespace}/projects/{project}", tag = "projects",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "ETag that the project must have"), Apply,
    ),
    request_body(content(
        (Object = "application/merge-patch+json"), (Object = "application/apply-patch+yaml"),
    )),
    responses((status = 200, description = "The changed project", body = ProjectDeployment), Writes),
)]
pub(super) async fn patch_project(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    Query(apply): Query<Apply>,
    headers: HeaderMap,
    sent: Sent,
) -> Answer {
    let site = Site::new(namespace, project)?;
    let if_match = IfMatch::of(&headers)?;
    let (format, patch) = body::patch(&headers, &sent.bytes)?;
    let patch = body::patch_of(&site, (format, patch))?;
    let how = match format {
        Format::Merge => How::Merge,
        Format::Apply => How::Apply { force: apply.force },
    };
    Ok(with_etag(&writes::patch(&server, &token, &site, (how, patch), &if_match).await?))
}

/// Delete a project with everything that belongs to it.
#[utoipa::path(
    delete, path = "/api/v1/namespaces/{namespace}/projects/{project}", tag = "projects",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "ETag that the project must have"),
    ),
    responses((status = 204, description = "The project is being deleted"), Writes),
)]
pub(super) async fn delete_project(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let site = Site::new(namespace, project)?;
    writes::delete(&server, &token, &site, &IfMatch::of(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Read what a project does, and what to do next.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/status", tag = "projects",
    params(("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name")),
    responses((status = 200, description = "Its status", body = Status), Reads),
)]
pub(super) async fn get_status(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
) -> Answer {
    let held = reads::project(&server, &token, &Site::new(namespace, project)?).await?;
    Ok(Json(Status::of(&held.object)).into_response())
}

/// Watch a project: one event for each change, beginning with the project as it is. Server-Sent Events: production.queued,
/// production.building, production.starting, production.ready, production.stopped, production.error, stream.end. Each id is a resource version.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/events", tag = "streams",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got: the stream continues after it"),
    ),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String), Reads),
)]
pub(super) async fn watch_project(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    events(&server, token, &Site::new(namespace, project)?, &headers, false).await
}

/// The stream of events of a project.
pub(super) async fn events(
    server: &Arc<Server>,
    token: Token,
    site: &Site,
    headers: &HeaderMap,
    until_at_rest: bool,
) -> Answer {
    let seen = precondition::last_event_id(headers)?;
    let right = Right::on("watch", &site.namespace, &site.name);
    server.rights.require(&token, right.clone()).await?;
    let place = server.stream_of(&token).await?;
    let subscription = server.projects()?.store().subscribe(&site.key(), seen);
    let subscription = subscription.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))?;
    let listener = Listener {
        token,
        right,
        rights: server.rights.clone(),
        place,
        metrics: server.metrics.clone(),
        ends: server.ends.clone(),
        until_at_rest,
    };
    Ok(event_stream::answer(subscription, listener))
}

/// A project with its `ETag`.
fn with_etag(object: &Value) -> Response {
    let mut answer = Json(object).into_response();
    if let Some(tag) = etag(&version_of(object)) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}
