//! Creates the Jobs that delete an image from a registry of your own (I/O).

use crate::cluster::Error;
use crate::desired::names;
use crate::image_cleanup::job::{self, Attempt};
use crate::project::Project;
use crate::protocol::order::cleanup::CleanupOrder;
use crate::reconcile::observed::Observed;
use crate::reconcile::observed::objects::named;

use super::ActContext;

/// Creates the Job for the image of a record that is about to be deleted.
pub(super) async fn create(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    version: &str,
) -> Result<(), Error> {
    let Some(record) = observed.records.get(version) else { return Ok(()) };
    let Some(order) = job::order(project, context.platform, record) else { return Ok(()) };
    let first = Attempt { name: names::cleanup(project, record), version: version.to_owned(), number: 1 };
    create_attempt(context, project, &first, &order).await
}

/// Creates the next attempt after the failed Job of that name.
pub(super) async fn create_next(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    failed: &str,
) -> Result<(), Error> {
    let Some(failed) = named(&observed.objects.jobs, failed) else { return Ok(()) };
    let next = job::next(project, failed);
    let order = job::order_again(project, context.platform, failed);
    let Some((next, order)) = next.zip(order) else { return Ok(()) };
    create_attempt(context, project, &next, &order).await
}

async fn create_attempt(
    context: &ActContext<'_>,
    project: &Project,
    attempt: &Attempt,
    order: &CleanupOrder,
) -> Result<(), Error> {
    let job = job::create(project, context.platform, attempt, order)
        .map_err(|error| Error::malformed("cleanup Job", &error))?;
    context.cluster.create_job(project, &job).await
}
