//! Reads of projects from the shared watch, after the API server has said that the caller may.

use std::sync::Arc;

use super::Server;
use super::caller::Token;
use super::problem::Problem;
use super::rights::Right;
use super::site::Site;
use super::store::Held;

/// The project, if the caller may `get` it. A caller without the right does not learn whether it exists.
pub(super) async fn project(server: &Server, token: &Token, site: &Site) -> Result<Arc<Held>, Problem> {
    server.rights.require(token, Right::on("get", &site.namespace, &site.name)).await?;
    let held = server.projects()?.store().get(&site.key());
    held.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))
}
