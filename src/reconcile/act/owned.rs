//! Takes over children, or restores their labels and owner (I/O).

use crate::cluster::{Cluster, Error};
use crate::desired::{meta, names};
use crate::memory::ledger::Ledger;
use crate::memory::revisions;
use crate::project::Project;

use super::super::observe::ours;
use super::super::observed::{Child, Observed, Unmarked};
use super::key;

/// Takes over the ledger of a deleted project of the same name.
pub(super) async fn inherit(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    ledger: &Ledger,
) -> Result<(), Error> {
    let Some(at) = &observed.ledger_preconditions else { return Ok(()) };
    cluster.make_sure_of(project).await?;
    tracing::info!(
        namespace = project.namespace,
        name = project.name,
        "taking over the ledger that a deleted project of this name left behind"
    );
    let owned = meta::child(project, &project.name, names::ROLE_LEDGER);
    cluster.inherit_ledger(project, at, &owned, &revisions::text(ledger)).await
}

/// Restores labels and owner of a child that lost them.
pub(super) async fn mark(cluster: &Cluster, project: &Project, unmarked: &Unmarked) -> Result<(), Error> {
    cluster.make_sure_of(project).await?;
    let (caches, name) = (cluster.caches(), &unmarked.name);
    let metadata = |role: &str| meta::child(project, name, role);
    let revisions = || ours(project, &caches.revisions.of(&key(project)), name);
    match unmarked.child {
        Child::Memory => match revisions() {
            Some(seen) => cluster.mark_revision(&seen, &metadata(names::ROLE_LEDGER)).await,
            None => Ok(()),
        },
        Child::Record => match revisions() {
            Some(seen) => cluster.mark_revision(&seen, &metadata(names::ROLE_RECORD)).await,
            None => Ok(()),
        },
        Child::Deployment => match ours(project, &caches.deployments.of(&key(project)), name) {
            Some(seen) => cluster.mark_deployment(&seen, &metadata(names::ROLE_APP)).await,
            None => Ok(()),
        },
        _ => match ours(project, &caches.jobs.of(&key(project)), name) {
            Some(seen) => cluster.mark_job(&seen, &metadata(names::role_of_job(&seen))).await,
            None => Ok(()),
        },
    }
}
