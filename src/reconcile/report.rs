//! Last step of the loop (I/O): writes the status if it differs and publishes events. It decides nothing.

use crate::cluster::{Cluster, Error};
use crate::crd::{ProjectDeployment, ProjectDeploymentStatus};

use super::observed::Refusal;
use super::status::{happenings, rejected_cleanups};

/// Writes `status`, and publishes events for its changes and for images that stay because their cleanup was rejected. A
/// settled project causes no write.
pub async fn report(
    cluster: &Cluster,
    object: &ProjectDeployment,
    status: ProjectDeploymentStatus,
    refusals: &[Refusal],
) -> Result<(), Error> {
    for happening in rejected_cleanups(refusals) {
        cluster.publish(object, happening).await;
    }
    if object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let told = happenings(object.status.as_ref(), &status);
    let written = cluster.write_status(object, &status).await?;
    cluster.remember(written);
    for happening in told {
        cluster.publish(object, happening).await;
    }
    Ok(())
}
