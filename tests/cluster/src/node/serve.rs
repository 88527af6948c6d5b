//! The process with the node's own servers: a registry of the prepared images, and Git repositories over HTTP.
//! Images come from the cache, which gets those that a recipe is for, and from the cluster's directory; repositories are
//! whatever is on the disk. It takes nothing from anyone.

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

/// What is served where: the content of the one file that the process is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Served {
    /// Where the registry listens.
    pub(super) registry: SocketAddr,
    /// Manifests by reference: `docker.io/library/node:22-bookworm-slim`.
    pub(super) manifests: BTreeMap<String, Descriptor>,
    /// Directories of blobs, looked through in this order.
    pub(super) blobs: Vec<PathBuf>,
    /// Where images are made that are not among the manifests.
    pub(super) cache: PathBuf,
    /// Where Git listens.
    pub(super) git: SocketAddr,
    /// The directory of the repositories.
    pub(super) repositories: PathBuf,
}

/// Serves until the process is ended.
pub fn run(config: &Path) -> Result<(), Error> {
    let text = fs::read(config).attempt(|| format!("read {}", config.display()))?;
    let served: Served = serde_json::from_slice(&text)
        .map_err(|error| Error::failed(format!("understand {}", config.display()), error))?;
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
