//! The endpoints `/livez`, `/readyz` and `/metrics`. `/livez` does not depend on the API server, whose outage must not restart the
//! operator. An operator is ready while every watch works and it leads or can take over: a standby watches too.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use crate::election::Standing;
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

/// How much is in memory, in the text format of Prometheus.
async fn metrics(State(seen): State<Seen>) -> String {
    let head = "# HELP doce_operator_held Objects and notes that the operator holds in memory, by kind.\n# TYPE doce_operator_held gauge";
    let lines = seen.context.held().into_iter();
    let lines = lines.map(|(kind, count)| format!("doce_operator_held{{kind=\"{kind}\"}} {count}"));
    let text: Vec<String> = std::iter::once(head.to_owned()).chain(lines).collect();
    text.join("\n") + "\n"
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
