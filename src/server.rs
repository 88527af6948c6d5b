//! The HTTP API: projects and their live events for people and programs, a process of its own.
//!
//! It has no rights of its own but to list and watch projects. One watch (`feed`) fills a `store`, which serves all reads and
//! streams. Before each of them, the API server says whether the caller may (`rights`). Everything else is sent to the API server with
//! the caller's own token (`door`).

mod ansi;
mod answers;
mod asked;
mod body;
mod body_tree;
mod caller;
mod callers;
mod children;
mod connections;
mod cors;
mod door;
mod event_stream;
mod extract;
mod feed;
mod labels;
mod limits;
mod log_lines;
mod log_reader;
mod log_sources;
mod metrics;
mod observe;
mod pod_logs;
mod precondition;
mod problem;
mod production;
mod reads;
mod refusal;
mod repeated;
mod rights;
mod routes;
mod site;
mod size;
mod still;
mod store;
mod writes;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Bytes;
use http::HeaderValue;
use kube::{Client, Config};
use tokio::sync::{Semaphore, watch};

use crate::cluster::counted::counted;
use asked::Asked;
use caller::Token;
use callers::Callers;
use door::Door;
use feed::Projects;
use limits::{Limits, Place};
use metrics::Metrics;
pub use metrics::sample as sample_metrics;
use problem::Problem;
use rights::Rights;
pub use routes::document_text;

/// Settings of the HTTP API.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on. `[::]` means all, also of IPv4.
    #[arg(long, env = "DOCE_SERVER_ADDRESS", default_value = "[::]:8080")]
    pub address: SocketAddr,
    /// Address of the metrics.
    #[arg(long, env = "DOCE_SERVER_METRICS_ADDRESS", default_value = "[::]:8081")]
    pub metrics_address: SocketAddr,
    /// Namespace that the server serves. Empty: all namespaces.
    #[arg(long, env = "DOCE_NAMESPACE", default_value = "")]
    pub namespace: String,
    /// Namespace of projects that a path of doce.dev names without one. Empty: such paths must name one.
    #[arg(long, env = "DOCE_SERVER_DEFAULT_NAMESPACE", default_value = "")]
    pub default_namespace: String,
    /// Origins of web pages that may call the API from a browser, separated by commas.
    #[arg(long, env = "DOCE_SERVER_ORIGINS", value_delimiter = ',')]
    pub origins: Vec<String>,
    /// Requests in a second that one user may send. Twice as many may come at once.
    #[arg(long, env = "DOCE_SERVER_RATE", default_value = "50")]
    pub rate: NonZeroU32,
    /// Streams that one user may have open.
    #[arg(long, env = "DOCE_SERVER_STREAMS_PER_CALLER", default_value_t = 100)]
    pub streams_per_caller: usize,
    /// Streams that may be open.
    #[arg(long, env = "DOCE_SERVER_STREAMS", default_value_t = 1000)]
    pub streams: usize,
    /// Connections that may be open.
    #[arg(long, env = "DOCE_SERVER_CONNECTIONS", default_value_t = 2000)]
    pub connections: usize,
}

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The settings of the connection to the API server are wrong.
    #[error("cannot connect to the API server")]
    Client(#[source] Box<kube::Error>),
    /// An origin is not one.
    #[error(
        "DOCE_SERVER_ORIGINS (server.origins): {0:?} is no origin: write scheme://host, such as https://console.example.com"
    )]
    Origin(String),
    /// The document could not be written.
    #[error("cannot write the OpenAPI document")]
    Document(#[source] serde_json::Error),
}

/// What handlers share.
struct Server {
    door: Door,
    rights: Arc<Rights>,
    callers: Callers,
    projects: Arc<Projects>,
    asked: Asked,
    limits: Limits,
    metrics: Arc<Metrics>,
    ends: watch::Receiver<bool>,
    default_namespace: Option<String>,
    origins: Vec<HeaderValue>,
    document: Bytes,
    bodies: Arc<Semaphore>,
}

impl Server {
    /// The projects, once the first list is complete.
    fn projects(&self) -> Result<&Arc<Projects>, Problem> {
        if self.projects.is_ready() {
            return Ok(&self.projects);
        }
        Err(Problem::unavailable("the server has not read all projects yet: try again"))
    }

    /// A place for a stream of the user of this token.
    async fn stream_of(&self, token: &Token) -> Result<Place, Problem> {
        let user = self.callers.user(token, || Ok(())).await?;
        self.limits.stream_of(user)
    }
}

/// A server that listens.
pub struct Bound {
    server: Arc<Server>,
    api: tokio::net::TcpListener,
    metrics: tokio::net::TcpListener,
    ends: watch::Sender<bool>,
    client: Client,
    connections: usize,
}

/// Listens, with the connection to the API server of `config`.
pub fn bind(arguments: Arguments, config: Config) -> Result<Bound, Error> {
    let refused = |error| Error::Client(Box::new(error));
    let origins = arguments.origins.iter().filter(|origin| !origin.is_empty()).map(|text| origin(text));
    let origins = origins.collect::<Result<_, _>>()?;
    let metrics = Arc::new(Metrics::new());
    let client = counted(Client::try_from(config.clone()).map_err(refused)?, metrics.sent());
    let door = Door::new(config, metrics.sent()).map_err(refused)?;
    let (ends, ending) = watch::channel(false);
    let listen = |address| connections::listen(address).map_err(|error| Error::Listen(address, error));
    let server = Server {
        rights: Arc::new(Rights::new(door.clone(), metrics.clone())),
        callers: Callers::new(door.clone(), metrics.clone()),
        asked: Asked::default(),
        door,
        projects: Arc::new(Projects::new(arguments.namespace)),
        limits: Limits::new(arguments.rate, arguments.streams, arguments.streams_per_caller),
        metrics,
        ends: ending,
        default_namespace: Some(arguments.default_namespace).filter(|namespace| !namespace.is_empty()),
        origins,
        document: document_text().map_err(Error::Document)?.into(),
        bodies: Arc::new(Semaphore::new(extract::BODIES)),
    };
    Ok(Bound {
        server: Arc::new(server),
        api: listen(arguments.address)?,
        metrics: listen(arguments.metrics_address)?,
        ends,
        client,
        connections: arguments.connections,
    })
}

fn origin(text: &str) -> Result<HeaderValue, Error> {
    let wrong = || Error::Origin(text.to_owned());
    let (_, host) = text.split_once("://").ok_or_else(wrong)?;
    if host.is_empty() || host.contains(['/', '*', ' ']) {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}

impl Bound {
    /// Where the API and the metrics listen.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.api.local_addr()?, self.metrics.local_addr()?))
    }

    /// Serves until `ended` completes. Then it ends all streams with `stream.end`, and finishes running answers.
    pub async fn serve(self, ended: impl Future<Output = ()>) {
        let Self { server, api, metrics, ends, client, connections } = self;
        if let (Ok(address), Ok(metrics)) = (api.local_addr(), metrics.local_addr()) {
            let (namespace, version) = (&server.projects.namespace, env!("CARGO_PKG_VERSION"));
            tracing::info!(%address, %metrics, namespace, version, "HTTP API is listening");
        }
        let feed = feed::run(client, server.projects.clone(), server.metrics.clone());
        let ending = || server.ends.clone();
        let serving = async {
            tokio::join!(
                connections::serve(api, routes::router(server.clone()), connections, ending()),
                connections::serve(
                    metrics,
                    routes::metrics_router(server.clone()),
                    METRICS_CONNECTIONS,
                    ending()
                ),
            );
        };
        let stopping = async {
            ended.await;
            ends.send_replace(true);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serving => {}
            () = feed => {}
            () = stopping => {}
        }
    }
}

/// Connections of the port for metrics and probes.
const METRICS_CONNECTIONS: usize = 64;
