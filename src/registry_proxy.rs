//! The registry proxy, through which nodes pull images of the embedded registry. It passes only reads of manifests and
//! blobs, so no client can push through it. The chart runs it in two places: beside the registry, for the port that the
//! whole cluster may reach, and on the loopback address of every node, where container runtimes accept plain HTTP
//! without configuration. It stores nothing and streams every answer.

mod connection_limit;
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

use crate::distribution::DIGEST;

use connection_limit::{ConnectionLimit, Slot};
use request::{Answer, read};

/// Time in which a client must send its request.
const REQUEST: Duration = Duration::from_secs(10);
/// Longest wait for a connection to the registry, and then for the next bytes of its answer.
const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_mins(1);
/// A client that reads no byte of its answer for this time is disconnected.
const UNREAD: Duration = Duration::from_secs(30);
/// Time for running answers after the signal to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_secs(1);

/// Request headers that the registry needs.
const ASKED: [HeaderName; 4] = [header::ACCEPT, header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH];
/// Response headers that a container runtime needs.
const ANSWERED: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    HeaderName::from_static(DIGEST),
    HeaderName::from_static("docker-distribution-api-version"),
];

/// Settings of the registry proxy.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_ADDRESS", default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// Port to listen on.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_PORT")]
    pub port: u16,
    /// Address of the registry to read from, `host[:port]`, which speaks plain HTTP.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_REGISTRY")]
    pub registry: String,
}

/// Why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The HTTP client for the registry could not be created.
    #[error("cannot create the HTTP client for the registry")]
    Client(#[from] reqwest::Error),
}

struct Proxy {
    client: reqwest::Client,
    registry: String,
}

/// Serves until `ended` completes, then finishes running answers.
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
    let proxy = Arc::new(Proxy { client, registry: arguments.registry });
    let limit = ConnectionLimit::new();
    tracing::info!(%address, registry = proxy.registry, "registry proxy is listening");
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = async {
            let free = limit.free().await?;
            match listener.accept().await {
                Ok((stream, peer)) => Some((stream, limit.take(free, peer.ip())?)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await; // Too many open files, for example: no event reports the end.
                    None
                }
            }
        };
        tokio::select! {
            accepted = accepted => {
                let Some((stream, slot)) = accepted else { continue };
                tokio::spawn(serve(proxy.clone(), stream, slot));
            }
            () = &mut ended => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, limit.empty()).await;
    Ok(())
}

/// Serves one request per connection: connections to a loopback address are cheap, and an idle one would occupy a slot.
async fn serve(proxy: Arc<Proxy>, stream: TcpStream, _place: Slot) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD));
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.answer(&request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(REQUEST).keep_alive(false).max_buf_size(16 << 10);
    // It is normal that a client disconnects in the middle of an answer.
    let _ = builder.serve_connection(TokioIo::new(Box::pin(stream)), service).await;
}

impl Proxy {
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
                let message = format!(
                    "the registry answered with {}, and the proxy does not follow redirects",
                    answer.status()
                );
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

/// An error response in the format of the OCI distribution specification.
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
