//! Writes and deletes the NetworkPolicy (I/O).

use crate::cluster::{Cluster, Error};
use crate::desired::network_policy;
use crate::project::Project;

use super::super::observed::{Child, Observed, Refusal, RefusalReason};
use super::ownership::require_alive_if_unowned;
use super::{Outcome, altered};

/// Creates or changes the NetworkPolicy.
pub(super) async fn apply(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let want = match network_policy::apply(project) {
        Ok(Some(want)) => want,
        Ok(None) => return Ok(Outcome::Done),
        Err(invalid) => {
            return Ok(Outcome::Refused(Refusal {
                child: Child::NetworkPolicy,
                cause: RefusalReason::Invalid,
                message: invalid.to_string(),
            }));
        }
    };
    let seen = observed.objects.network_policy.as_deref();
    require_alive_if_unowned(cluster, project, seen).await?;
    let written = cluster.apply_network_policy(project, seen, want.clone()).await?;
    Ok(altered::kept(Child::NetworkPolicy, project, &written, want))
}

/// Deletes the NetworkPolicy, if it is still as it was observed.
pub(super) async fn delete(cluster: &Cluster, project: &Project, observed: &Observed) -> Result<(), Error> {
    let Some(seen) = observed.objects.network_policy.as_deref() else { return Ok(()) };
    require_alive_if_unowned(cluster, project, Some(seen)).await?;
    cluster.delete_network_policy(seen).await
}
