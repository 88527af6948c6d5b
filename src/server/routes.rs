//! All paths of the HTTP API, and the `OpenAPI` document that describes them.

mod actions;
mod builds;
mod doce;
mod logs;
mod projects;
mod versions;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::BODIES;
use super::observe::observe;
use super::problem::{FieldProblem, Problem};
use super::{Server, answers};

/// Largest body of a request.
const BODY: usize = 1 << 20;

/// Path of the `OpenAPI` document.
const DOCUMENT: &str = "/api/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "doce-operator HTTP API",
        description = "Projects of the doce-operator over HTTP, with live events. The API server decides every request with your \
                       own bearer token.",
    ),
    tags(
        (name = "projects", description = "Read and write projects"),
        (name = "actions", description = "Ask for something once"),
        (name = "history", description = "What was built"),
        (name = "streams", description = "Events and logs"),
        (name = "doce.dev", description = "The paths of doce.dev's front end, with its answers"),
    ),
    components(schemas(Problem, FieldProblem)),
)]
struct Document;

fn described() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::get_project, projects::patch_project, projects::delete_project))
        .routes(routes!(projects::get_status))
        .routes(routes!(projects::watch_project))
        .routes(routes!(versions::list_versions))
        .routes(routes!(builds::list_builds))
        .routes(routes!(builds::get_build))
        .routes(routes!(logs::build_logs))
        .routes(routes!(logs::project_logs))
        .routes(routes!(actions::deploy))
        .routes(routes!(actions::retry))
        .routes(routes!(actions::restart))
        .routes(routes!(actions::rollback))
        .routes(routes!(actions::cancel))
        .routes(routes!(actions::stop))
        .routes(routes!(actions::start))
        .routes(routes!(doce::get_production))
        .routes(routes!(doce::watch_production))
        .routes(routes!(doce::deploy_production))
        .routes(routes!(doce::stop_production))
        .routes(routes!(doce::production_history))
        .routes(routes!(doce::rollback_production))
}

/// The `OpenAPI` document.
fn document() -> Value {
    let (_, document) = described().split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["components"]["schemas"]["ProjectDeployment"] = answers::project_schema();
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "A token that the API server accepts" },
    });
    document["security"] = json!([{ "token": [] }]);
    document
}

/// The `OpenAPI` document as text, as `docs/openapi.json` has it.
pub fn document_text() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&document())? + "\n")
}

/// All paths.
pub(super) fn router(server: Arc<Server>) -> Router {
    let (router, _) = described().split_for_parts();
    let router = router
        .route("/livez", get(async || "alive"))
        .route("/readyz", get(ready))
        .route(DOCUMENT, get(serve_document))
        .fallback(async || Problem::no_path())
        .layer(DefaultBodyLimit::max(BODY));
    let router = router.layer(middleware::from_fn_with_state(server.clone(), observe));
    // Outermost: a page must also be able to read 429 and 504.
    let router = match super::cors::layer(&server.origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.with_state(server)
}

/// Paths of the metrics port.
pub(super) fn metrics_router(server: Arc<Server>) -> Router {
    let metrics = async |State(server): State<Arc<Server>>| {
        let bodies = BODIES - server.bodies.available_permits();
        let text = server.metrics.text(bodies).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        Ok::<_, StatusCode>(([(header::CONTENT_TYPE, kind)], text))
    };
    // The kubelet must get an answer also while clients have all connections of the API.
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "alive"))
        .route("/readyz", get(ready))
        .with_state(server)
}

async fn ready(State(server): State<Arc<Server>>) -> Response {
    match server.projects() {
        Ok(_) => "ready".into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn serve_document(State(server): State<Arc<Server>>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], server.document.clone())
        .into_response()
}
