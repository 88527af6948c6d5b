//! The endpoints `/livez`, `/readyz` and `/metrics`. `/livez` does not depend on the API server, whose outage must not restart the
//! operator. An operator is ready while every watch works and it leads or can take over: a standby watches too.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use crate::build_queue::admit::owned;
use crate::build_queue::schedule::waiting_and_running;
use crate::election::Standing;
use crate::metrics::Snapshot;
use crate::reconcile::Shared;

/// State that the answers depend on.
#[derive(Clone)]
struct Seen {
    context: Shared,
    standing: watch::Receiver<Standing>,
}

/// Serves the probes on `address` until the process ends.
pub async fn serve(
    context: Shared,
    standing: watch::Receiver<Standing>,
    address: SocketAddr,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router(context, standing)).await
}

/// The endpoints, callable without a socket.
pub fn router(context: Shared, standing: watch::Receiver<Standing>) -> Router {
    let seen = Seen { context, standing };
    Router::new()
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(seen)
}

/// What the operator counts and holds.
async fn metrics(State(seen): State<Seen>) -> Result<impl IntoResponse, StatusCode> {
    let Seen { context, standing } = seen;
    let (queued, running) = waiting_and_running(&owned(&context.cluster));
    let now = Snapshot {
        held: context.held(),
        builds_queued: queued,
        builds_running: running,
        ports: usize::from(context.config.port_last.saturating_sub(context.config.port_first)) + 1,
        leads: matches!(&*standing.borrow(), Standing::Leading),
    };
    let text = context.metrics.text(&now).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn ready(State(seen): State<Seen>) -> (StatusCode, String) {
    if let Some(trouble) = seen.context.cluster.caches().pulses.trouble() {
        return (StatusCode::SERVICE_UNAVAILABLE, trouble);
    }
    match &*seen.standing.borrow() {
        Standing::Leading => (StatusCode::OK, "leading".to_owned()),
        Standing::Standby => (StatusCode::OK, "standby".to_owned()),
        Standing::Unable(why) => (StatusCode::SERVICE_UNAVAILABLE, why.clone()),
    }
}
