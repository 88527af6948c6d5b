//! Whether a request with an idempotency key was made before. Writing its annotation again would replace a newer request that waits.

use std::sync::Arc;

use super::Server;
use super::caller::Token;
use super::children;
use super::problem::Problem;
use super::production::Look;
use super::site::Site;
use super::store::Held;
use crate::crd::annotations::RequestKind;

/// The project, if this request was made before: its annotation or its outcome is there, this server wrote it, or the operator
/// remembers it. The caller may change the project.
pub(super) async fn repeated(
    server: &Server,
    token: &Token,
    site: &Site,
    (kind, value): (RequestKind, &str),
) -> Result<Option<Arc<Held>>, Problem> {
    let Some(held) = server.projects()?.store().get(&site.key()) else { return Ok(None) };
    let uid = held.object["metadata"]["uid"].as_str().unwrap_or_default();
    if Look::at(&held.object).has_asked(kind, value) || server.asked.has(uid, kind, value) {
        return Ok(Some(held));
    }
    match children::ledger(server, token, site, uid).await {
        Ok(ledger) => Ok((!ledger.is_new(kind, value)).then_some(held)),
        // The operator ignores what it remembers.
        Err(refused) if refused.status == 403 => Ok(None),
        Err(problem) => Err(problem),
    }
}
