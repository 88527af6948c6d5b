//! What happens to every request: an id, one line in the log, metrics, limits, and errors as problem details.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::Server;
use super::connections::Peer;
use super::problem::{self, Problem};

/// Header with the id of a request.
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a client may choose.
const MAX_ID: usize = 64;

/// Time to the head of an answer. It is longer than the wait of a rollback.
const ANSWER: Duration = Duration::from_secs(90);

/// Largest error text of a library that becomes the detail of a problem.
const MAX_DETAIL: usize = 4 << 10;

/// Characters of a path that the log has.
const MAX_PATH: usize = 256;

/// Label and log text of a path that no route serves.
const UNMATCHED: &str = "none";

/// Gives the request an id, bounds its time, makes every error a problem, and reports the answer.
pub(super) async fn observe(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = id(&request);
    if let Some(id) = &id {
        request.headers_mut().insert(ID, id.clone());
    }
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let path: String = request.uri().path().chars().take(MAX_PATH).collect();
    let is_probe = matches!(route.as_str(), "/livez" | "/readyz");
    let peer = request.extensions().get::<Peer>().copied();
    let limited =
        peer.filter(|_| !is_probe).map_or(Ok(()), |Peer(address)| server.limits.request_from(address));
    let answer = match limited {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(ANSWER, next.run(request)).await {
            Ok(answer) => as_problem(answer).await,
            Err(_) => Problem::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long: try again")
                .into_response(),
        },
    };
    let answer = with_headers(answer, id.as_ref());
    let (took, status) = (begun.elapsed(), answer.status().as_u16());
    if !is_probe {
        let id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%method, path, route, status, milliseconds, id, "request");
    }
    server.metrics.answered(&method, route, status, took);
    answer
}

/// The id that the client chose, if it is short and plain, else a new one.
fn id(request: &Request) -> Option<HeaderValue> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let chosen = request.headers().get(&ID);
    let good = |id: &&HeaderValue| (1..=MAX_ID).contains(&id.len()) && id.as_bytes().iter().all(&plain);
    if let Some(id) = chosen.filter(good) {
        return Some(id.clone());
    }
    HeaderValue::from_str(&random()?).ok()
}

/// 128 random bits as hex digits.
pub(super) fn random() -> Option<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).ok()?;
    Some(hex::encode(bits))
}

/// Errors of the libraries below have plain text.
async fn as_problem(answer: Response) -> Response {
    let status = answer.status();
    let error = status.is_client_error() || status.is_server_error();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if !error || kind.is_some_and(|kind| kind == problem::MEDIA_TYPE) {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_DETAIL).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let detail = match (status, text) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => {
            "this path does not have this method: Allow lists those it has".to_owned()
        }
        (_, text) if text.is_empty() => status.canonical_reason().unwrap_or("error").to_lowercase(),
        (_, text) => text,
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = head.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn with_headers(mut answer: Response<Body>, id: Option<&HeaderValue>) -> Response<Body> {
    let headers = answer.headers_mut();
    if let Some(id) = id {
        headers.insert(ID, id.clone());
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers depend on the caller: nothing in between may keep them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    answer
}
