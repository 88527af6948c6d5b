//! Creates the Job that runs the init command of a version (I/O).

use crate::cluster::{Cluster, Error};
use crate::desired::init_job;
use crate::project::Project;
use crate::reconcile::observed::Observed;

/// Creates the Job. It runs at once and does not count against the limits of the build queue.
pub(super) async fn create(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    version: &str,
    number: u64,
) -> Result<(), Error> {
    let Some(record) = observed.records.get(version) else { return Ok(()) };
    let Some(job) = init_job::create(project, record, number) else { return Ok(()) };
    let job = job.map_err(|error| Error::malformed("Job of the init command", &error))?;
    cluster.create_job(project, &job).await
}
