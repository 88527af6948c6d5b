//! The registry proxy, the only way to the embedded registry. It stores nothing, and streams every request and answer.
//! The chart runs it in two places:
//!
//! * before the registry, which listens only on a socket file of its pod. It asks the API server whose token a request
//!   has, and passes what that caller may do.
//! * on the loopback address of every node, where container runtimes accept plain HTTP without configuration. It passes
//!   only reads of manifests and blobs, with the token of its own pod.

mod access;
mod callers;
mod pace;
mod places;
mod upstream;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::token_reviews::TokenReviews;
use crate::distribution::DIGEST;
use crate::protocol::registry_token;

use access::{Answer, Caller, decide, is_upload};
use callers::{Callers, Known};
use pace::{PacedReader, paced};
use places::{Place, Places, Visitor};
use upstream::Upstream;

/// Time in which a client must send the head of its request.
const REQUEST: Duration = Duration::from_secs(10);
/// Time for running answers after the signal to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// Time in which the rest of an upload is taken that was answered early.
const REST: Duration = Duration::from_millis(500);

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_secs(1);

/// Request headers that the registry needs, to read and to write.
const ASKED: [HeaderName; 4] = [header::ACCEPT, header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH];
const SENT: [HeaderName; 2] = [header::CONTENT_LENGTH, header::CONTENT_RANGE];
/// Response headers that a client needs.
const ANSWERED: [HeaderName; 12] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    header::LOCATION,
    header::RANGE,
    header::LINK,
    HeaderName::from_static(DIGEST),
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderName::from_static("docker-upload-uuid"),
    HeaderName::from_static("oci-subject"),
];

/// Settings of the registry proxy.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on. `::` means all, also of IPv4.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_ADDRESS", default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// Port to listen on.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_PORT")]
    pub port: u16,
    /// Another port, which only serves reads.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_READ_PORT")]
    pub read_port: Option<u16>,
    /// Address of the registry, which speaks plain HTTP: `host:port`, or `unix:` and the path of its socket. On a node:
    /// of the registry proxy before it.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_REGISTRY")]
    pub registry: Upstream,
    /// On a node: file with the token to log in with. Then every client may read, and no client may write. Without this,
    /// every client must log in.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// `ServiceAccount` of the registry proxies on nodes, `namespace:name`: it reads every repository.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_NODE_ACCOUNT", default_value = "")]
    pub node_account: String,
    /// `ServiceAccount` of the sweep, `namespace:name`: it lists all repositories, and deletes in them.
    #[arg(long, env = "DOCE_REGISTRY_PROXY_SWEEP_ACCOUNT", default_value = "")]
    pub sweep_account: String,
}

/// Why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// It could neither log in itself nor ask who its clients are.
    #[error("the registry proxy needs a token file, or access to the API server")]
    NoClients,
}

/// Whom the proxy serves.
enum Clients {
    /// The container runtime of this node. The file has the token for the registry.
    Node { token: PathBuf },
    /// Every client that logs in.
    All(Box<Callers>),
}

struct Proxy {
    registry: Upstream,
    clients: Clients,
    places: Places,
}

/// Serves until `ended` completes, then finishes running answers. Without a token file it asks `reviews` who calls.
pub async fn run(
    arguments: Arguments,
    reviews: Option<TokenReviews>,
    ended: impl Future<Output = ()>,
) -> Result<(), Error> {
    let Arguments { address, port, read_port, registry, token_file, node_account, sweep_account } = arguments;
    let clients = match (token_file, reviews) {
        (Some(token), _) => Clients::Node { token },
        (None, Some(reviews)) => Clients::All(Box::new(Callers::new(reviews, node_account, sweep_account))),
        (None, None) => return Err(Error::NoClients),
    };
    let on_node = matches!(clients, Clients::Node { .. });
    let proxy = Arc::new(Proxy { registry, clients, places: Places::new() });
    let first = listen(proxy.clone(), SocketAddr::new(address, port), on_node).await?;
    let second = match read_port {
        Some(port) => Some(listen(proxy.clone(), SocketAddr::new(address, port), true).await?),
        None => None,
    };
    let second = async {
        match second {
            Some(second) => second.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = first => {}
        () = second => {}
        () = ended => {}
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, proxy.places.empty()).await;
    Ok(())
}

/// Accepts connections at `address` until it is dropped.
async fn listen(
    proxy: Arc<Proxy>,
    address: SocketAddr,
    only_reads: bool,
) -> Result<impl Future<Output = ()>, Error> {
    let mut bound = TcpListener::bind(address).await;
    if bound.is_err() && address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // The kernel has no IPv6.
        bound = TcpListener::bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port())).await;
    }
    let listener = bound.map_err(|error| Error::Listen(address, error))?;
    tracing::info!(%address, registry = %proxy.registry, only_reads, "registry proxy is listening");
    Ok(async move {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let visitor = proxy.places.come(peer.ip());
                    tokio::spawn(serve(proxy.clone(), stream, peer.ip(), visitor, only_reads));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await; // Too many open files, for example: no event reports the end.
                }
            }
        }
    })
}

/// What a connection occupies: a place at the door, later that of its request.
enum Occupied {
    Door { _visitor: Visitor },
    Request { _place: Place },
}

/// Serves one request per connection: connections are cheap here, and an idle one would occupy a place.
async fn serve(proxy: Arc<Proxy>, mut stream: TcpStream, peer: IpAddr, visitor: Visitor, only_reads: bool) {
    let sent_away = visitor.sent_away();
    let occupied = Arc::new(Mutex::new(Occupied::Door { _visitor: visitor }));
    let service = service_fn(move |request| {
        let (proxy, occupied) = (proxy.clone(), occupied.clone());
        async move { Ok::<_, Infallible>(proxy.answer(request, (peer, only_reads), &occupied).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(REQUEST).keep_alive(false).max_buf_size(32 << 10);
    let connection = builder.serve_connection(TokioIo::new(PacedReader::new(&mut stream)), service);
    tokio::select! {
        _ = connection => {} // It is normal that a client disconnects in the middle of an answer.
        () = sent_away => return,
    }
    // If it closed the connection with unread bytes of an upload, the client could miss the answer.
    let mut rest = [0; 8 << 10];
    let _ = tokio::time::timeout(REST, async { while let Ok(1..) = stream.read(&mut rest).await {} }).await;
}

impl Proxy {
    async fn answer(
        &self,
        request: Request<Incoming>,
        (peer, only_reads): (IpAddr, bool),
        occupied: &Mutex<Occupied>,
    ) -> Response<Body> {
        match request.uri().path() {
            "/livez" => return Response::new(Body::from("alive")),
            "/readyz" => return self.readiness().await,
            _ => {}
        }
        let caller = match self.caller(request.headers(), peer).await {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let uri = request.uri();
        let asked = match decide(&caller, only_reads, request.method(), uri.path(), uri.query()) {
            Answer::Passed(asked) => asked,
            Answer::Refused(status, code, message) => return refusal(status, code, &message),
        };
        let Some(place) = self.places.take(&caller).await else {
            let message = "too many requests at the same time: try again";
            return refusal(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message);
        };
        *occupied.lock().unwrap_or_else(PoisonError::into_inner) = Occupied::Request { _place: place };
        self.pass(request, &asked).await
    }

    /// Who calls, or what the client is told.
    async fn caller(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Caller, Response<Body>> {
        let Clients::All(callers) = &self.clients else { return Ok(Caller::Node) };
        let message = match callers.identify(headers, peer).await {
            Known::Caller(caller) => return Ok(caller),
            Known::Missing => format!(
                "log in with any user name, and as the password a token from: kubectl create token default --namespace \
                 NAMESPACE --audience {}",
                registry_token::AUDIENCE
            ),
            Known::Invalid => format!(
                "the token is not valid for the audience {}, or has expired",
                registry_token::AUDIENCE
            ),
            Known::Unavailable => {
                let message = "the API server does not say whose token this is: try again";
                return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message));
            }
        };
        Err(refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", &message))
    }

    /// Whether the registry answers.
    async fn readiness(&self) -> Response<Body> {
        let asked = Request::get("/v2/").header(header::HOST, "registry").body(Body::empty());
        let answer = match asked {
            Ok(asked) => self.registry.read(asked).await.map(|answer| answer.status().is_success()),
            Err(_) => Ok(false),
        };
        if matches!(answer, Ok(true)) {
            return Response::new(Body::from("ready"));
        }
        refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the registry does not answer")
    }

    async fn pass(&self, request: Request<Incoming>, asked: &str) -> Response<Body> {
        let writes = matches!(*request.method(), Method::PUT | Method::POST | Method::PATCH);
        let answer = match self.request(request, asked, writes).await {
            Ok(request) if writes => self.registry.write(request).await,
            Ok(request) => self.registry.read(request).await,
            Err(refused) => return *refused,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_of_client() => {
                let message = "the upload ended early, or was too slow: try again";
                return refusal(StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID", message);
            }
            Err(error) => {
                let message = format!("the registry at {} does not answer", self.registry);
                tracing::warn!(asked, error = crate::text::with_causes(&error), message);
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &message);
            }
        };
        let status = answer.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            let message =
                format!("the registry answered with {status}, and the proxy does not follow redirects");
            return refusal(StatusCode::BAD_GATEWAY, "UNSUPPORTED", &message);
        }
        if matches!(self.clients, Clients::Node { .. }) && status == StatusCode::UNAUTHORIZED {
            let message = "the registry does not accept the token of this node's registry proxy";
            tracing::warn!(asked, message);
            return refusal(StatusCode::BAD_GATEWAY, "UNAUTHORIZED", message);
        }
        let headers = only(answer.headers(), &ANSWERED);
        let mut response = Response::new(Body::from_stream(upstream::bytes(answer.into_body())));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The request for the registry, with nothing of the client's that the registry does not need.
    async fn request(
        &self,
        request: Request<Incoming>,
        asked: &str,
        writes: bool,
    ) -> Result<Request<Body>, Box<Response<Body>>> {
        let (head, body) = request.into_parts();
        let mut headers = only(&head.headers, &ASKED);
        match &self.clients {
            Clients::Node { token } => {
                headers.insert(header::HOST, HeaderValue::from_static("registry"));
                headers.insert(header::AUTHORIZATION, login(token).await?);
            }
            // The registry tells the client where to upload by the name under which the client knows it.
            Clients::All(_) => {
                let host = head.headers.get(header::HOST).cloned();
                headers.insert(header::HOST, host.unwrap_or(HeaderValue::from_static("registry")));
            }
        }
        if writes {
            headers.extend(only(&head.headers, &SENT));
            headers.insert(header::CONTENT_TYPE, kind(&head.headers, asked));
        }
        let body = if writes { Body::from_stream(paced(body)) } else { Body::empty() };
        let built = Request::builder().method(head.method).uri(asked).body(body);
        let mut built = built.map_err(|_| {
            Box::new(refusal(StatusCode::BAD_REQUEST, "UNSUPPORTED", "the request cannot be passed on"))
        })?;
        *built.headers_mut() = headers;
        Ok(built)
    }
}

/// The media type of what a client sends. That of a manifest counts. An upload has none that matters, and the registry
/// would read parameters from the body of a form.
fn kind(headers: &HeaderMap, asked: &str) -> HeaderValue {
    let of_manifest = headers.get(header::CONTENT_TYPE).filter(|_| !is_upload(asked));
    of_manifest.cloned().unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// The header with the token of this pod. The kubelet replaces the file before the token expires.
async fn login(file: &Path) -> Result<HeaderValue, Box<Response<Body>>> {
    let read = tokio::fs::read_to_string(file).await.map_err(|error| error.to_string());
    let header = read.and_then(|token| {
        let packed = STANDARD.encode(format!("{}:{}", registry_token::USER, token.trim()));
        HeaderValue::try_from(format!("Basic {packed}")).map_err(|error| error.to_string())
    });
    header.map_err(|error| {
        tracing::warn!(file = %file.display(), error, "cannot read the token of this pod");
        let message = "the registry proxy has no token for the registry";
        Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message))
    })
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
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::UNAUTHORIZED => {
            let basic = HeaderValue::from_static("Basic realm=\"doce-registry\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}
