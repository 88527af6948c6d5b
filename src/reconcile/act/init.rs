//! Creating the Job that runs the init command of a version.

use crate::cluster::{Cluster, Error};
use crate::desired::init_job;
use crate::project::Project;
use crate::reconcile::observed::World;

/// It runs at once: it takes no place of a build.
pub(super) async fn create(
    cluster: &Cluster,
    project: &Project,
    world: &World,
    version: &str,
    number: u64,
) -> Result<(), Error> {
    let Some(record) = world.records.get(version) else { return Ok(()) };
    let Some(job) = init_job::create(project, record, number) else { return Ok(()) };
    let job = job.map_err(|error| Error::malformed("Job of the init command", &error))?;
    cluster.create_job(project, &job).await
}
