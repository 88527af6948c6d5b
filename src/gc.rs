//! The sweep: collects garbage in the embedded registry. It deletes images, caches and logs that no record names. A
//! `CronJob` runs it in a process of its own. It reads the API server, and nothing waits for it. It writes one ConfigMap there:
//! the images that records name and the registry does not have, so that the operator builds them again.
//!
//! No lock keeps builds from running meanwhile, so the sweep looks twice before it deletes anything. First it removes
//! the tag of an unused manifest: from then on no build can find it and report "already built". Then it asks the
//! cluster again, Jobs before records. A build that found the image earlier still has a Job, which stays for an hour
//! after its end, or already has its record; in both cases the sweep restores the tag. It deletes only what is still
//! unused. A sweep that ends at any point leaves at worst a manifest without a tag, and the next sweep continues with
//! the rest.

mod candidates;
pub mod choose;
mod lost;
pub mod references;
pub mod registry;

use std::path::PathBuf;
use std::time::Duration;

use candidates::{Candidates, Untagged};
use choose::{Tagged, is_ours, unreferenced};
use references::{References, is_below};
use registry::Registry;

use crate::cluster::Error as ClusterError;
use crate::cluster::inventory::Inventory;
use crate::protocol::lost_list::{LostList, Place};
use jiff::Timestamp;

/// Approximate maximum of manifests that one sweep deletes. The next sweep handles the rest.
const MOST: usize = 1000;

/// Time limit of one sweep.
const TIME: Duration = Duration::from_mins(20);

/// Settings of a sweep.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Address of the embedded registry, `host[:port]`, which speaks plain HTTP.
    #[arg(long, env = "DOCE_PUSH_REGISTRY")]
    pub registry: String,
    /// File with the token to log in to the registry with.
    #[arg(long, env = "DOCE_REGISTRY_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The only namespace that the operator watches. The sweep then covers only the repositories of that namespace.
    #[arg(long, env = "DOCE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Address of the same registry in records, `host[:port]`: the one that nodes pull from.
    #[arg(long, env = "DOCE_PULL_REGISTRY")]
    pub pull_registry: Option<String>,
    /// ConfigMap for the images that the registry lost, as namespace/name. Default: they are not looked for.
    #[arg(long, env = "DOCE_LOST_IMAGES")]
    pub lost_images: Option<Place>,
}

/// Why a sweep ended early. Its deletions until then stay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer. Without its records nothing may be deleted.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A request to the registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// It took too long.
    #[error("the sweep did not finish within {} s; the next sweep continues", TIME.as_secs())]
    Timeout,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Checked repositories.
    pub repositories: usize,
    /// Deleted manifests.
    pub deleted: usize,
    /// Manifests that a build or record named in between: their tags were restored.
    pub spared: usize,
    /// Failures in single repositories; the log says which and why.
    pub failed: usize,
}

impl Swept {
    fn manifests(&self) -> usize {
        self.deleted + self.spared
    }

    /// Continues after an error in one repository: anyone who may push controls its content, and it must not block the
    /// others. A registry that does not answer, or rejects deletes, ends the sweep.
    fn go_on_after(&mut self, repository: &str, error: registry::Error) -> Result<(), Error> {
        if !matches!(error, registry::Error::Answer { .. }) {
            return Err(error.into());
        }
        tracing::warn!(repository, error = %error, "cannot sweep the repository");
        self.failed += 1;
        Ok(())
    }
}

/// Looks for the image of every record. `host` is how records name the registry.
pub async fn lost_images(registry: &Registry, inventory: &Inventory, host: &str) -> Result<LostList, Error> {
    let seen = Timestamp::now();
    let find = async { Ok(lost::find(registry, &look(inventory).await?, host, seen).await?) };
    tokio::time::timeout(TIME, find).await.map_err(|_| Error::Timeout)?
}

/// Runs one sweep.
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
    let mut candidates = Candidates::default();
    for repository in &repositories {
        // Again for the rest of a repository when the candidates were full in the middle of it.
        while swept.manifests() + candidates.count() < MOST {
            if let Err(error) = untag_unreferenced(registry, repository, &before, &mut candidates).await {
                swept.go_on_after(repository, error)?;
                break;
            }
            if !candidates.is_full() {
                break;
            }
            let spared = swept.spared;
            delete_or_restore(registry, inventory, &mut candidates, &mut swept).await?;
            if swept.spared > spared {
                break; // A build uses it again, which the first look does not know.
            }
        }
    }
    delete_or_restore(registry, inventory, &mut candidates, &mut swept).await?;
    Ok(swept)
}

/// Asks the cluster again about the manifests without a tag, and deletes each or restores its tag.
async fn delete_or_restore(
    registry: &Registry,
    inventory: &Inventory,
    candidates: &mut Candidates,
    swept: &mut Swept,
) -> Result<(), Error> {
    if candidates.count() == 0 {
        return Ok(());
    }
    let after = look(inventory).await?;
    for Untagged { repository, tagged, manifest } in candidates.take() {
        let goes = !unreferenced(&repository, std::slice::from_ref(&tagged), &after, now()).is_empty();
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

/// Seconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Jobs before records: see [`References::read`].
async fn look(inventory: &Inventory) -> Result<References, ClusterError> {
    let builds = inventory.builds().await?;
    let revisions = inventory.revisions().await?;
    let projects = inventory.projects().await?;
    Ok(References::read(&builds, &revisions, &projects))
}

/// Removes the unused tags of a repository, as many as there is room for.
async fn untag_unreferenced(
    registry: &Registry,
    repository: &str,
    references: &References,
    candidates: &mut Candidates,
) -> Result<(), registry::Error> {
    let listed = registry.tags(repository).await?;
    if references.is_busy(repository) || !listed.iter().any(|tag| is_ours(tag)) {
        return Ok(());
    }
    let mut tags = vec![];
    for tag in listed {
        if let Some(digest) = registry.digest(repository, &tag).await? {
            tags.push(Tagged { tag, digest });
        }
    }
    for tagged in unreferenced(repository, &tags, references, now()) {
        if candidates.is_full() {
            break; // The caller settles these, and comes again.
        }
        // By digest: the tag may have moved since.
        let Some(manifest) = registry.manifest(repository, &tagged.digest).await? else { continue };
        if let Err(error) = registry.untag(repository, &tagged.tag).await {
            registry.tag(repository, &tagged.tag, &manifest).await?;
            return Err(error);
        }
        tracing::info!(
            repository,
            tag = tagged.tag,
            digest = tagged.digest,
            "tag removed: nothing in the cluster names it"
        );
        candidates.add(Untagged { repository: repository.to_owned(), tagged, manifest });
    }
    Ok(())
}
