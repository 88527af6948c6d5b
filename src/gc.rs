//! The sweep of the embedded registry: images, caches and logs that no record names go. Run by a `CronJob` in a process of
//! its own; it reads the API server, writes nothing there, and nothing waits for it.
//!
//! No lock holds builds off meanwhile, so nothing is deleted on one look. What nobody names loses its tag first: from then
//! on no build can find it and say "this is built already". Then the cluster is asked again, Jobs before records. A build
//! that found the image before has a Job, which stays for an hour after its end, or has its record by then; in both cases
//! the tag is put back. Only what is still named by nobody is deleted. Ended at any point it leaves at worst a manifest
//! without a tag, and the next sweep goes on with the rest.

mod aside;
pub mod choose;
pub mod named;
pub mod registry;

use std::time::Duration;

use aside::{Aside, Untagged};
use choose::{Tagged, doomed, is_ours};
use named::{Named, is_below};
use registry::Registry;

use crate::cluster::Error as ClusterError;
use crate::cluster::inventory::Inventory;

/// Most manifests, nearly, that one sweep deletes: the next one takes the rest.
const MOST: usize = 1000;

/// Time of one sweep.
const TIME: Duration = Duration::from_mins(20);

/// Settings of a sweep.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The embedded registry, `host[:port]`, which speaks plain HTTP.
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
    /// Times that a repository did not let itself be swept; the log says which and why.
    pub failed: usize,
}

impl Swept {
    fn manifests(&self) -> usize {
        self.deleted + self.spared
    }

    /// One repository must not keep the others from being swept: anybody who may push makes what is in it. A registry
    /// that does not answer, or deletes nothing, ends the sweep.
    fn go_on_after(&mut self, repository: &str, error: registry::Error) -> Result<(), Error> {
        if !matches!(error, registry::Error::Answer { .. }) {
            return Err(error.into());
        }
        tracing::warn!(repository, error = %error, "not swept");
        self.failed += 1;
        Ok(())
    }
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
    repositories.retain(|name| namespace.is_none_or(|namespace| is_below(name, namespace)));
    let before = look(inventory).await?;
    let mut swept = Swept { repositories: repositories.len(), ..Swept::default() };
    let mut aside = Aside::default();
    for repository in &repositories {
        if swept.manifests() + aside.count() >= MOST {
            break;
        }
        if let Err(error) = set_aside(registry, repository, &before, &mut aside).await {
            swept.go_on_after(repository, error)?;
        }
        if aside.is_full() {
            settle(registry, inventory, &mut aside, &mut swept).await?;
        }
    }
    settle(registry, inventory, &mut aside, &mut swept).await?;
    Ok(swept)
}

/// Asks the cluster again about what has no tag now, and deletes it or puts the tag back.
async fn settle(
    registry: &Registry,
    inventory: &Inventory,
    aside: &mut Aside,
    swept: &mut Swept,
) -> Result<(), Error> {
    if aside.count() == 0 {
        return Ok(());
    }
    let after = look(inventory).await?;
    for Untagged { repository, tagged, manifest } in aside.take() {
        let goes = !doomed(&repository, std::slice::from_ref(&tagged), &after).is_empty();
        let done = if goes {
            registry.delete(&repository, &tagged.digest).await
        } else {
            registry.tag(&repository, &tagged.tag, &manifest).await
        };
        match done {
            Ok(()) if goes => swept.deleted += 1,
            Ok(()) => swept.spared += 1,
            Err(error) => swept.go_on_after(&repository, error)?,
        }
    }
    Ok(())
}

/// Jobs before records: see [`Named::read`].
async fn look(inventory: &Inventory) -> Result<Named, ClusterError> {
    let builds = inventory.builds().await?;
    let revisions = inventory.revisions().await?;
    let projects = inventory.projects().await?;
    Ok(Named::read(&builds, &revisions, &projects))
}

/// Takes the tags of a repository away that nobody names, as many as there is room for.
async fn set_aside(
    registry: &Registry,
    repository: &str,
    named: &Named,
    aside: &mut Aside,
) -> Result<(), registry::Error> {
    let listed = registry.tags(repository).await?;
    if named.is_busy(repository) || !listed.iter().any(|tag| is_ours(tag)) {
        return Ok(());
    }
    let mut tags = vec![];
    for tag in listed {
        if let Some(digest) = registry.digest(repository, &tag).await? {
            tags.push(Tagged { tag, digest });
        }
    }
    for tagged in doomed(repository, &tags, named) {
        if aside.is_full() {
            break; // The next sweep takes the rest.
        }
        // By its digest: a tag may have been moved since.
        let Some(manifest) = registry.manifest(repository, &tagged.digest).await? else { continue };
        if let Err(error) = registry.untag(repository, &tagged.tag).await {
            registry.tag(repository, &tagged.tag, &manifest).await?;
            return Err(error);
        }
        tracing::info!(repository, tag = tagged.tag, digest = tagged.digest, "named by nobody");
        aside.add(Untagged { repository: repository.to_owned(), tagged, manifest });
    }
    Ok(())
}
