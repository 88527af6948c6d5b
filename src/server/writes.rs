//! Writes of projects, and reads of whole ones, sent with the caller's token. Writes have the field manager `doce-api`.

use http::StatusCode;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};

use super::Server;
use super::caller::Token;
use super::feed::resource;
use super::precondition::IfMatch;
use super::problem::Problem;
use super::refusal::problem;
use super::site::Site;
use super::store::{Held, Store, trim};

/// Field manager of every write.
pub(super) const MANAGER: &str = "doce-api";

/// How a project is patched.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// JSON merge patch.
    Merge,
    /// Server-side apply, also of fields that another manager owns.
    Apply { force: bool },
}

fn api(server: &Server, token: &Token, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(server.door.of(token), namespace, &resource())
}

fn value(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    trim(&mut value);
    value
}

/// Reads a project from the API server.
pub(super) async fn read(server: &Server, token: &Token, site: &Site) -> Result<Held, Problem> {
    let found = api(server, token, &site.namespace).get_opt(&site.name).await;
    let found = found.map_err(|error| problem(&error, false))?;
    let object = found.map(|object| value(&object));
    let object = object.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))?;
    Held::read(object)
        .ok_or_else(|| Problem::unavailable("the API server's answer has no version: try again"))
}

/// Creates a project. Returns it.
pub(super) async fn create(
    server: &Server,
    token: &Token,
    namespace: &str,
    object: Value,
) -> Result<Value, Problem> {
    let object: DynamicObject = serde_json::from_value(object)
        .map_err(|error| Problem::bad_request(format!("the body is not a ProjectDeployment: {error}")))?;
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let created = api(server, token, namespace).create(&params, &object).await;
    let created = created.map(|object| value(&object)).map_err(|error| problem(&error, false))?;
    until_held(server, &created).await;
    Ok(created)
}

fn refused(error: &kube::Error, if_match: &IfMatch) -> Problem {
    match problem(error, if_match.version.is_some()) {
        gone if gone.status == 404 && if_match.exists => missing(),
        refused => refused,
    }
}

fn missing() -> Problem {
    let detail = "there is no such project, but If-Match asks for one: create it without If-Match";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

/// Waits until the server's own reads have the write.
async fn until_held(server: &Server, written: &Value) {
    let text = |field: &str| written["metadata"][field].as_str().unwrap_or_default();
    let key = (text("namespace").to_owned(), text("name").to_owned());
    let Ok(version) = text("resourceVersion").parse::<u64>() else { return };
    if server.projects.serves(&key.0) {
        server.projects.until(|store| store.has(&key, version)).await;
    }
}

/// Patches a project, if it has the version of `if_match`. Returns it.
pub(super) async fn patch(
    server: &Server,
    token: &Token,
    site: &Site,
    (how, mut patch): (How, Value),
    if_match: &IfMatch,
) -> Result<Value, Problem> {
    // Server-side apply would create it.
    if if_match.exists && server.projects()?.store().get(&site.key()).is_none() {
        return Err(missing());
    }
    if let Some(version) = &if_match.version {
        patch["metadata"]["resourceVersion"] = json!(version);
    }
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let (params, patch) = match how {
        How::Merge => (params, Patch::Merge(patch)),
        How::Apply { force } => (PatchParams { force, ..params }, Patch::Apply(patch)),
    };
    let patched = api(server, token, &site.namespace).patch(&site.name, &params, &patch).await;
    let patched = patched.map(|object| value(&object));
    let patched = patched.map_err(|error| refused(&error, if_match))?;
    until_held(server, &patched).await;
    Ok(patched)
}

/// Deletes a project, if it has the version of `if_match`.
pub(super) async fn delete(
    server: &Server,
    token: &Token,
    site: &Site,
    if_match: &IfMatch,
) -> Result<(), Problem> {
    let preconditions =
        if_match.version.clone().map(|version| Preconditions { resource_version: Some(version), uid: None });
    let params = DeleteParams { preconditions, ..DeleteParams::background() };
    let key = site.key();
    let before = server.projects.store().get(&key).map_or(0, |held| held.version);
    let deleted = api(server, token, &site.namespace).delete(&site.name, &params).await;
    deleted.map_err(|error| refused(&error, if_match))?;
    // It is gone, or it waits for its finalizer.
    let is_seen = |store: &Store| store.get(&key).is_none_or(|held| held.version > before);
    if server.projects.serves(&key.0) {
        server.projects.until(is_seen).await;
    }
    Ok(())
}
