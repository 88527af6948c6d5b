//! Builds of a project: its build Jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::desired::names;
use crate::server::answers::Reads;
use crate::server::caller::Token;
use crate::server::problem::Problem;
use crate::server::site::{self, Site};
use crate::server::{Server, children, reads};

type Answer = Result<Response, Problem>;

/// A build.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Build {
    /// Its id, the name of its Job.
    id: String,
    /// Why there is a build.
    reason: String,
    /// queued, running, succeeded or failed.
    state: &'static str,
    /// Number of the attempt.
    attempt: u32,
    /// When it was created.
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    /// When it started.
    #[schema(required, format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
}

/// Builds of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Builds {
    /// The builds, newest first.
    items: Vec<Build>,
}

fn build(job: &Job) -> Build {
    let status = job.status.clone().unwrap_or_default();
    let ended = |kind: &str| {
        let mut conditions = status.conditions.iter().flatten();
        let found = conditions.find(|condition| condition.type_ == kind && condition.status == "True");
        found.map(|condition| condition.last_transition_time.clone())
    };
    let (complete, failed) = (ended("Complete"), ended("Failed"));
    let state = match () {
        () if complete.is_some() => "succeeded",
        () if failed.is_some() => "failed",
        () if status.start_time.is_some() => "running",
        () => "queued",
    };
    let annotation = |name: &str| job.annotations().get(name).cloned().unwrap_or_default();
    let finished = status.completion_time.clone().or(failed.flatten());
    Build {
        id: job.name_any(),
        reason: annotation(names::BUILD_REASON),
        state,
        attempt: annotation(names::ATTEMPT).parse().unwrap_or(0),
        created_at: job.creation_timestamp().map(|time| time.0.to_string()),
        started_at: status.start_time.map(|time| time.0.to_string()),
        finished_at: finished.map(|time| time.0.to_string()),
    }
}

/// A build of the project.
pub(super) async fn read(server: &Server, token: &Token, site: &Site, id: &str) -> Result<Build, Problem> {
    let job = children::job(server, token, site, id).await?;
    let own = |job: &Job| job.labels().get(names::PROJECT) == Some(&site.name) && names::is_build(job);
    let gone = || {
        let detail = format!(
            "project \"{}\" has no build \"{id}\": Kubernetes deletes a build one hour after its end, and status.build.log \
             says where its log is kept",
            site.name
        );
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    job.filter(own).as_ref().map(build).ok_or_else(gone)
}

/// List the builds of a project whose Jobs exist.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/builds", tag = "history",
    params(("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name")),
    responses((status = 200, description = "Its builds", body = Builds), Reads),
)]
pub(super) async fn list_builds(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
) -> Answer {
    let site = Site::new(namespace, project)?;
    reads::project(&server, &token, &site).await?;
    let created = |job: &Job| job.creation_timestamp().map(|time| time.0);
    let mut builds = children::builds(&server, &token, &site, |job| (created(job), build(job))).await?;
    builds.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    Ok(Json(Builds { items: builds.into_iter().map(|(_, build)| build).collect() }).into_response())
}

/// Read a build.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/builds/{id}", tag = "history",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("id" = String, Path, description = "Id of the build"),
    ),
    responses((status = 200, description = "The build", body = Build), Reads),
)]
pub(super) async fn get_build(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project, id)): Path<(String, String, String)>,
) -> Answer {
    let (site, id) = (Site::new(namespace, project)?, site::name(id)?);
    reads::project(&server, &token, &site).await?;
    Ok(Json(read(&server, &token, &site, &id).await?).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_says_whether_its_build_waits_runs_or_ended() {
        let of = |status: serde_json::Value| {
            let job = json!({ "metadata": { "name": "site-1", "annotations": { "doce.dev/attempt": "2" } }, "status": status });
            build(&serde_json::from_value(job).unwrap())
        };
        let time = "2026-11-30T12:00:00Z";
        let ended = |kind: &str| json!({ "startTime": time, "conditions": [{ "type": kind, "status": "True", "lastTransitionTime": time }] });
        assert_eq!((of(json!({})).state, of(json!({})).attempt), ("queued", 2));
        assert_eq!(of(json!({ "startTime": time })).state, "running");
        assert_eq!(of(ended("Complete")).state, "succeeded");
        let failed = of(ended("Failed"));
        assert_eq!((failed.state, failed.finished_at.as_deref()), ("failed", Some(time)));
    }
}
