//! The process with the node's own servers: a registry of the prepared images, and Git repositories over HTTP.
//! Images come from the cache and from the cluster's directory. If the cache lacks an image that has a recipe, the
//! server makes it. Repositories come from the disk. Both servers are read-only.

mod git;
mod registry;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::images::{Descriptor, OnDemand};
use crate::{Attempt, Error};

/// What to serve at which address: the content of the configuration file of the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Served {
    /// Address of the registry.
    pub(super) registry: SocketAddr,
    /// Manifests by reference: `docker.io/library/node:22-bookworm-slim`.
    pub(super) manifests: BTreeMap<String, Descriptor>,
    /// Directories of blobs, searched in this order.
    pub(super) blobs: Vec<PathBuf>,
    /// Directory for images that are made on demand.
    pub(super) cache: PathBuf,
    /// Address of the Git server.
    pub(super) git: SocketAddr,
    /// The directory of the repositories.
    pub(super) repositories: PathBuf,
}

/// Serves until the process receives SIGTERM.
pub fn run(config: &Path) -> Result<(), Error> {
    let text = fs::read(config).attempt(|| format!("read {}", config.display()))?;
    let served: Served = serde_json::from_slice(&text)
        .map_err(|error| Error::failed(format!("parse {}", config.display()), error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .attempt(|| "start the servers of the node".to_owned())?;
    runtime.block_on(serve(served))
}

async fn serve(served: Served) -> Result<(), Error> {
    let recipes = OnDemand::open(served.cache)?;
    let images = listen(served.registry, registry::router(served.manifests, served.blobs, Some(recipes)));
    let repositories = listen(served.git, git::router(served.repositories));
    let mut ended = signal(SignalKind::terminate()).attempt(|| "listen for signals".to_owned())?;
    tokio::select! {
        served = async { tokio::try_join!(images, repositories) } => served.map(drop),
        _ = ended.recv() => Ok(()),
    }
}

async fn listen(address: SocketAddr, router: axum::Router) -> Result<(), Error> {
    let attempt = || format!("serve on {address}");
    let listener = tokio::net::TcpListener::bind(address).await.attempt(attempt)?;
    axum::serve(listener, router).await.attempt(attempt)
}
