//! What the operator made for a project, read with the caller's token: build Jobs, records and ledger.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::ListParams;

use super::Server;
use super::caller::Token;
use super::problem::Problem;
use super::refusal::problem;
use super::site::Site;
use crate::desired::names;

/// Most objects that are read. A project has at most 100 records, and a build Job ends an hour after its build.
const MOST: u32 = 500;

/// The build Jobs of a project.
pub(super) async fn builds(server: &Server, token: &Token, site: &Site) -> Result<Vec<Job>, Problem> {
    let jobs: Api<Job> = Api::namespaced(server.door.of(token), &site.namespace);
    let selector = format!("{}={},{}={}", names::PROJECT, site.name, names::ROLE, names::ROLE_BUILD);
    let found = jobs.list(&ListParams::default().labels(&selector).limit(MOST)).await;
    let mut found = found.map_err(|error| problem(&error, false))?.items;
    found.retain(names::is_build);
    Ok(found)
}

/// A Job of the namespace of a project.
pub(super) async fn job(
    server: &Server,
    token: &Token,
    site: &Site,
    id: &str,
) -> Result<Option<Job>, Problem> {
    let jobs: Api<Job> = Api::namespaced(server.door.of(token), &site.namespace);
    jobs.get_opt(id).await.map_err(|error| problem(&error, false))
}

/// Records and ledgers with the name of a project.
pub(super) async fn revisions(
    server: &Server,
    token: &Token,
    site: &Site,
) -> Result<Vec<ControllerRevision>, Problem> {
    let revisions: Api<ControllerRevision> = Api::namespaced(server.door.of(token), &site.namespace);
    let selector = format!("{}={}", names::PROJECT, site.name);
    let found = revisions.list(&ListParams::default().labels(&selector).limit(MOST)).await;
    Ok(found.map_err(|error| problem(&error, false))?.items)
}
