//! The sweep of the embedded registry: images, caches and logs that no record names go. Run by a `CronJob` in a process of
//! its own; it reads the API server, writes nothing there, and nothing waits for it.
//!
//! No lock holds builds off meanwhile, so nothing is deleted on one look. What nobody names loses its tag first: from then
//! on no build can find it and say "this is built already". Then the cluster is asked again, Jobs before records. A build
//! that found the image before has a Job, which stays for an hour after its end, or has its record by then; in both cases
//! the tag is put back. Only what is still named by nobody is deleted. Ended at any point it leaves at worst a manifest
//! without a tag, and the next sweep goes on with the rest.

pub mod choose;
pub mod named;
pub mod registry;

use std::time::Duration;

use choose::{Tagged, doomed, is_ours};
use named::Named;
use registry::{Manifest, Registry};

use crate::cluster::Error as ClusterError;
use crate::cluster::inventory::Inventory;

/// Most manifests that one sweep deletes: the next one takes the rest.
const MOST: usize = 1000;

/// Time of one sweep.
const TIME: Duration = Duration::from_mins(20);

/// Settings of a sweep.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The embedded registry, host[:port], which speaks plain HTTP.
    #[arg(long, env = "DOCE_PUSH_REGISTRY")]
    pub registry: String,
    /// The one namespace that the operator watches: only the repositories of that namespace are swept.
    #[arg(long, env = "DOCE_NAMESPACE")]
    pub namespace: Option<String>,
}

/// Why a sweep ended early. What it did until then is done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer: without its records nothing may go.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The registry did not do what was asked.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// It took too long.
    #[error("the sweep did not end within {} s; the next one goes on", TIME.as_secs())]
    Timeout,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Repositories that were looked at.
    pub repositories: usize,
    /// Manifests that were deleted.
    pub deleted: usize,
    /// Manifests that a build or record named just then: their tags were put back.
    pub spared: usize,
}

/// A tag that was taken away, and what to put back.
struct Aside {
    repository: String,
    tagged: Tagged,
    manifest: Manifest,
}

/// One sweep.
pub async fn sweep(
    registry: &Registry,
    inventory: &Inventory,
    namespace: Option<&str>,
) -> Result<Swept, Error> {
    tokio::time::timeout(TIME, once(registry, inventory, namespace)).await.map_err(|_| Error::Timeout)?
}

async fn once(registry: &Registry, inventory: &Inventory, namespace: Option<&str>) -> Result<Swept, Error> {
    let mut repositories = registry.repositories().await?;
    repositories.retain(|name| namespace.is_none_or(|namespace| is_in(name, namespace)));
    let before = look(inventory).await?;
    let mut aside = vec![];
    for repository in &repositories {
        if aside.len() >= MOST {
            break;
        }
        aside.extend(set_aside(registry, repository, &before).await?);
    }
    let mut swept = Swept { repositories: repositories.len(), ..Swept::default() };
    if aside.is_empty() {
        return Ok(swept);
    }
    let after = look(inventory).await?;
    for gone in aside {
        let tags = std::slice::from_ref(&gone.tagged);
        if doomed(&gone.repository, tags, &after).is_empty() {
            registry.tag(&gone.repository, &gone.tagged.tag, &gone.manifest).await?;
            swept.spared += 1;
        } else {
            registry.delete(&gone.repository, &gone.tagged.digest).await?;
            swept.deleted += 1;
        }
    }
    Ok(swept)
}

fn is_in(repository: &str, namespace: &str) -> bool {
    repository.split_once('/').is_some_and(|(first, _)| first == namespace)
}

/// Jobs before records: see [`Named::read`].
async fn look(inventory: &Inventory) -> Result<Named, ClusterError> {
    let builds = inventory.builds().await?;
    let revisions = inventory.revisions().await?;
    let projects = inventory.projects().await?;
    Ok(Named::read(&builds, &revisions, &projects))
}

/// Takes the tags of a repository away that nobody names.
async fn set_aside(registry: &Registry, repository: &str, named: &Named) -> Result<Vec<Aside>, Error> {
    let tags = registry.tags(repository).await?;
    if named.is_busy(repository) || !tags.iter().any(|tag| is_ours(tag)) {
        return Ok(vec![]);
    }
    let mut manifests = vec![];
    for tag in tags {
        if let Some(manifest) = registry.manifest(repository, &tag).await? {
            manifests.push((Tagged { tag, digest: manifest.digest.clone() }, manifest));
        }
    }
    let all: Vec<Tagged> = manifests.iter().map(|(tagged, _)| tagged.clone()).collect();
    let goes = doomed(repository, &all, named);
    manifests.retain(|(tagged, _)| goes.contains(tagged));
    let mut aside = vec![];
    for (tagged, manifest) in manifests {
        registry.untag(repository, &tagged.tag).await?;
        tracing::info!(repository, tag = tagged.tag, digest = tagged.digest, "named by nobody");
        aside.push(Aside { repository: repository.to_owned(), tagged, manifest });
    }
    Ok(aside)
}
