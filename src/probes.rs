//! `/livez` and `/readyz`. Live is not ready: an API server that is away must not kill the operator.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::reconcile::Shared;

/// Serves the probes on `address` until the process ends.
pub async fn serve(context: Shared, address: SocketAddr) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router(context)).await
}

/// The endpoints, callable without a socket.
pub fn router(context: Shared) -> Router {
    Router::new().route("/livez", get(|| async { "alive" })).route("/readyz", get(ready)).with_state(context)
}

async fn ready(State(context): State<Shared>) -> (StatusCode, &'static str) {
    if !context.cluster.caches().synced() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the watches have not told everything yet: is the CRD installed, and may the operator list every kind?",
        );
    }
    (StatusCode::OK, "ready")
}
