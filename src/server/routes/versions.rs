//! Versions of a project: its records and ledger.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::crd::ProjectDeployment;
use crate::server::answers::Reads;
use crate::server::caller::Token;
use crate::server::problem::Problem;
use crate::server::site::Site;
use crate::server::{Server, children, reads};
use crate::view::versions::{self, State as Life};

type Answer = Result<Response, Problem>;

/// Versions of a page, by default and at most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// A version of a project.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    /// It serves.
    is_active: bool,
    /// `version`, `hash`, `state`, `source`, `image`, `trigger`, `by`, `createdAt`, `readyAt`, `durationSeconds`, `reason`,
    /// `message` and `rollback`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    version: versions::Version,
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Versions {
    /// The versions, newest first.
    items: Vec<Version>,
    /// Where the next page begins: the query parameter `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which versions to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Versions of a page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
    /// `continue` of the page before.
    #[serde(rename = "continue")]
    after: Option<String>,
}

/// List the versions that the operator remembers: who made each, from what, how long it took, how it ended, and whether a rollback to it
/// is possible now.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/versions", tag = "history",
    params(("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"), Page),
    responses((status = 200, description = "A page of versions", body = Versions), Reads),
)]
pub(super) async fn list_versions(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Answer {
    let site = Site::new(namespace, project)?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is {limit}, but must be 1 to {LARGEST_PAGE}")));
    }
    let held = reads::whole_project(&server, &token, &site).await?;
    let object: ProjectDeployment = serde_json::from_value(held.object.clone()).unwrap_or_default();
    let uid = object.uid().unwrap_or_default();
    let all = versions::versions(&object, &children::remembered(&server, &token, &site, &uid).await?);
    let skipped = match &page.after {
        None => 0,
        Some(after) => {
            all.iter().position(|version| version.version == *after).map_or(all.len(), |at| at + 1)
        }
    };
    let more = all.len() > skipped + limit;
    let items: Vec<Version> = all
        .into_iter()
        .skip(skipped)
        .take(limit)
        .map(|version| Version { is_active: version.state == Life::Serving, version })
        .collect();
    let next = items.last().filter(|_| more).map(|version| version.version.version.clone());
    Ok(Json(Versions { items, next }).into_response())
}
