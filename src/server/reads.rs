//! Reads of projects from the shared watch, after the API server has said that the caller may.

use std::sync::Arc;

use super::caller::Token;
use super::problem::Problem;
use super::rights::Right;
use super::site::Site;
use super::store::Held;
use super::{Server, writes};

/// The project, if the caller may `get` it. A caller without the right does not learn whether it exists. A project that is too
/// large for the store has no whole spec here.
pub(super) async fn project(server: &Server, token: &Token, site: &Site) -> Result<Arc<Held>, Problem> {
    server.rights.require(token, Right::on("get", &site.namespace, &site.name)).await?;
    let held = server.projects()?.store().get(&site.key());
    held.ok_or_else(|| Problem::no_project(&site.namespace, &site.name))
}

/// The same, and always whole: what is too large for the store is read from the API server.
pub(super) async fn whole_project(server: &Server, token: &Token, site: &Site) -> Result<Arc<Held>, Problem> {
    let held = project(server, token, site).await?;
    if held.whole { Ok(held) } else { writes::read(server, token, site).await.map(Arc::new) }
}
