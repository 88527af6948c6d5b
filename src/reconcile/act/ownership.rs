//! Takes over children, or restores their labels and owner (I/O).

use kube::{Resource, ResourceExt as _};

use crate::cluster::{Cluster, Error};
use crate::desired::{meta, names};
use crate::memory::ledger::Ledger;
use crate::memory::revisions;
use crate::project::Project;

use super::super::observed::objects::named;
use super::super::observed::{Child, LostMetadata, Observed};

/// Checks that the project is not being deleted, if the child that is about to be written has no owner and gets one.
pub(super) async fn require_alive_if_unowned<K: Resource>(
    cluster: &Cluster,
    project: &Project,
    seen: Option<&K>,
) -> Result<(), Error> {
    match seen {
        Some(seen) if seen.owner_references().is_empty() => cluster.require_alive(project).await,
        _ => Ok(()),
    }
}

/// Takes over the ledger of a deleted project of the same name.
pub(super) async fn adopt_orphaned_ledger(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    ledger: &Ledger,
) -> Result<(), Error> {
    let Some(seen) = &observed.objects.ledger else { return Ok(()) };
    cluster.require_alive(project).await?;
    tracing::info!(
        namespace = project.namespace,
        name = project.name,
        "taking over the ledger that a deleted project of this name left behind"
    );
    let owned = meta::child(project, &project.name, names::ROLE_LEDGER);
    cluster.adopt_ledger(seen, &owned, &revisions::text(ledger)).await
}

/// Restores labels and owner of a child that lost them.
pub(super) async fn repair(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    lost_metadata: &LostMetadata,
) -> Result<(), Error> {
    cluster.require_alive(project).await?;
    let (objects, name) = (&observed.objects, &lost_metadata.name);
    let metadata = |role: &str| meta::child(project, name, role);
    match lost_metadata.child {
        Child::Ledger => match &objects.ledger {
            Some(seen) => cluster.repair_revision(seen, &metadata(names::ROLE_LEDGER)).await,
            None => Ok(()),
        },
        Child::Record => match named(&objects.records, name) {
            Some(seen) => cluster.repair_revision(seen, &metadata(names::ROLE_RECORD)).await,
            None => Ok(()),
        },
        Child::Deployment => match &objects.deployment {
            Some(seen) => cluster.repair_deployment(seen, &metadata(names::ROLE_APP)).await,
            None => Ok(()),
        },
        Child::Service => match &objects.service {
            Some(seen) => cluster.repair_service(seen, &metadata(names::ROLE_APP)).await,
            None => Ok(()),
        },
        Child::NetworkPolicy => match &objects.network_policy {
            Some(seen) => cluster.repair_network_policy(seen, &metadata(names::ROLE_APP)).await,
            None => Ok(()),
        },
        _ => match named(&objects.jobs, name) {
            Some(seen) => cluster.repair_job(seen, &metadata(names::role_of_job(seen))).await,
            None => Ok(()),
        },
    }
}
