//! What handlers take from a request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::StatusCode;
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Server;
use super::caller::Token;
use super::connections::Peer;
use super::problem::Problem;
use super::rights::Right;
use super::site::{self, Site};

/// Bodies that are in memory at once.
pub(super) const BODIES: usize = 32;

/// Time for a place among them.
const PLACE: Duration = Duration::from_secs(5);

/// Time in which a body must arrive.
const ARRIVE: Duration = Duration::from_secs(10);

impl FromRequestParts<Arc<Server>> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let token = Self::of(&parts.headers)?;
        let peer = parts.extensions.get::<Peer>().copied();
        let may_ask = || peer.map_or(Ok(()), |Peer(address)| server.limits.unknown_token_from(address));
        let user = server.callers.user(&token, may_ask).await?;
        server.limits.request_of(user)?;
        Ok(token)
    }
}

/// The body of a write. It is read only if the API server says that the caller may write what the path names.
pub(super) struct Sent {
    pub(super) bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl FromRequest<Arc<Server>> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        may_write(&mut parts, server).await?;
        let place = timeout(PLACE, server.bodies.clone().acquire_owned()).await.map_err(|_| busy())?;
        let place = place.map_err(|_| busy())?;
        let read = Bytes::from_request(Request::from_parts(parts, body), server);
        let read = timeout(ARRIVE, read).await.map_err(|_| late())?;
        let bytes = read.map_err(|error| Problem::new(error.status(), error.body_text()))?;
        Ok(Self { bytes, _place: place })
    }
}

async fn may_write(parts: &mut Parts, server: &Arc<Server>) -> Result<(), Problem> {
    let token = Token::of(&parts.headers)?;
    let params = RawPathParams::from_request_parts(parts, server).await;
    let params = params.map_err(|_| Problem::no_path())?;
    let of = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let right = match (of("namespace"), of("project"), of("id")) {
        (Some(namespace), Some(project), _) => on(&Site::new(namespace, project)?),
        (Some(namespace), None, _) => Right::on_all("create", &site::namespace(namespace)?),
        (None, _, Some(id)) => on(&Site::of_id(&id, server.default_namespace.as_deref())?),
        (None, ..) => return Err(Problem::no_path()),
    };
    server.rights.require(&token, right).await
}

fn on(site: &Site) -> Right {
    Right::on("patch", &site.namespace, &site.name)
}

fn busy() -> Problem {
    Problem::unavailable("the server reads as many bodies as it can: try again")
}

fn late() -> Problem {
    let detail = "the body did not arrive within 10 seconds: send it again";
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}
