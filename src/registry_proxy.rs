//! The relay: what nodes pull images of the embedded registry through. It lets reads of manifests and blobs pass and
//! nothing else, so that nobody who reaches it can push. Run in two places by the chart: beside the registry, for the
//! port that everybody in the cluster may reach, and on the loopback address of every node, where container runtimes
//! take plain HTTP without being told. It keeps nothing: an answer streams through.

mod places;
mod request;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;

use places::{Place, Places};
use request::{Answer, read};

/// A client that has not sent its request by then is let go.
const REQUEST: Duration = Duration::from_secs(10);
/// Longest wait for a connection to the registry, and for the next bytes of its answer.
const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_mins(1);
/// A client that takes no byte of its answer for so long is let go.
const UNREAD: Duration = Duration::from_secs(30);
/// What is under way when the relay is asked to end has so long.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// Pause after the machine could give no connection.
const PAUSE: Duration = Duration::from_secs(1);

/// Headers of a request that the registry needs to see.
const ASKED: [HeaderName; 4] = [header::ACCEPT, header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH];
/// Headers of an answer that a container runtime needs to see.
const ANSWERED: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    HeaderName::from_static("docker-content-digest"),
    HeaderName::from_static("docker-distribution-api-version"),
];

/// Settings of a relay.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on.
    #[arg(long, env = "DOCE_RELAY_ADDRESS", default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// Port to listen on.
    #[arg(long, env = "DOCE_RELAY_PORT")]
    pub port: u16,
    /// What is read, `host[:port]`, which speaks plain HTTP.
    #[arg(long, env = "DOCE_RELAY_REGISTRY")]
    pub registry: String,
}

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or none of this machine.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The client of the registry could not be made.
    #[error("cannot make a client of the registry")]
    Client(#[from] reqwest::Error),
}

struct Relay {
    client: reqwest::Client,
    registry: String,
}

/// Answers until `ended` completes, and then what is under way.
pub async fn run(arguments: Arguments, ended: impl Future<Output = ()>) -> Result<(), Error> {
    let address = SocketAddr::new(arguments.address, arguments.port);
    let listener = TcpListener::bind(address).await.map_err(|error| Error::Listen(address, error))?;
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("doce-operator/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let relay = Arc::new(Relay { client, registry: arguments.registry });
    let places = Places::new();
    tracing::info!(%address, registry = relay.registry, "relay answers");
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = async {
            let free = places.free().await?;
            match listener.accept().await {
                Ok((stream, peer)) => Some((stream, places.take(free, peer.ip())?)),
                Err(error) => {
                    tracing::warn!(%error, "no connection can be taken");
                    tokio::time::sleep(PAUSE).await; // Too many open files, say: nothing tells when that is over.
                    None
                }
            }
        };
        tokio::select! {
            accepted = accepted => {
                let Some((stream, place)) = accepted else { continue };
                tokio::spawn(serve(relay.clone(), stream, place));
            }
            () = &mut ended => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, places.empty()).await;
    Ok(())
}

/// One request a connection: those to a loopback address cost nothing, and an idle one would take a place.
async fn serve(relay: Arc<Relay>, stream: TcpStream, _place: Place) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD));
    let service = service_fn(move |request| {
        let relay = relay.clone();
        async move { Ok::<_, Infallible>(relay.answer(&request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(REQUEST).keep_alive(false).max_buf_size(16 << 10);
    // A client that goes away in the middle of an answer is no news.
    let _ = builder.serve_connection(TokioIo::new(Box::pin(stream)), service).await;
}

impl Relay {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        match read(request.method(), request.uri().path()) {
            Answer::Alive => Response::new(Body::from("alive")),
            Answer::Refused(status, code, message) => refusal(status, code, &message),
            Answer::Passed(path) => self.pass(request, path).await,
        }
    }

    async fn pass(&self, request: &Request<Incoming>, path: &str) -> Response<Body> {
        let url = format!("http://{}{path}", self.registry);
        let asked =
            self.client.request(request.method().clone(), url).headers(only(request.headers(), &ASKED));
        let answer = match asked.send().await {
            Ok(answer)
                if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED =>
            {
                answer
            }
            Ok(answer) => {
                let message = format!("the registry answers with {}, which is not followed", answer.status());
                return refusal(StatusCode::BAD_GATEWAY, "UNSUPPORTED", &message);
            }
            Err(error) => {
                let message = format!("the registry at {} does not answer", self.registry);
                tracing::warn!(path, error = crate::text::with_causes(&error), message);
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &message);
            }
        };
        let (status, headers) = (answer.status(), only(answer.headers(), &ANSWERED));
        let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

fn only(all: &HeaderMap, which: &[HeaderName]) -> HeaderMap {
    let kept = all.iter().filter(|(name, _)| which.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An error as the OCI distribution specification has it.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
