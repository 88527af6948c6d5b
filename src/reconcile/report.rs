//! Last step of the loop (I/O): writes the status if it differs, publishes events, and logs and counts what happened. It
//! decides nothing.

use crate::cluster::{Cluster, Error};
use crate::crd::{ProjectDeployment, ProjectDeploymentStatus};
use crate::metrics::Metrics;
use crate::project::Project;
use crate::text::bounded;

use super::observed::Refusal;
use super::status::{Line, LineKind, Rollback, happenings, of_events, rejected_cleanups, story};

/// Longest message in the log, in bytes.
const MAX_LOGGED: usize = 1000;

/// Writes `status`, and publishes events for its changes and for images that stay because their cleanup was rejected. A
/// settled project causes no write.
pub async fn report(
    cluster: &Cluster,
    metrics: &Metrics,
    project: &Project,
    object: &ProjectDeployment,
    status: ProjectDeploymentStatus,
    refusals: &[Refusal],
) -> Result<(), Error> {
    let unwritten = rejected_cleanups(refusals);
    let mut lines = of_events(&status, &unwritten);
    for happening in unwritten {
        cluster.publish(object, happening).await;
    }
    if object.status.as_ref() != Some(&status) {
        let published = happenings(object.status.as_ref(), &status);
        lines.extend(story(object.status.as_ref(), &status, &published));
        let written = cluster.write_status(object, &status).await?;
        cluster.remember(written);
        for happening in published {
            cluster.publish(object, happening).await;
        }
    }
    for line in lines {
        log(project, &line);
        count(metrics, &line);
    }
    Ok(())
}

fn log(project: &Project, line: &Line) {
    let (namespace, name, reason) = (&project.namespace, &project.name, line.kind.reason());
    let (version, seconds) = (line.version.as_deref(), line.seconds);
    let message = bounded(&line.message, MAX_LOGGED);
    if line.warning {
        tracing::warn!(namespace, name, version, reason, seconds, "{message}");
    } else {
        tracing::info!(namespace, name, version, reason, seconds, "{message}");
    }
}

fn count(metrics: &Metrics, line: &Line) {
    match &line.kind {
        LineKind::BuildEnded { succeeded } => metrics.build_ended(*succeeded, line.seconds),
        LineKind::Live => metrics.version_live(line.seconds),
        LineKind::Failed => metrics.version_failed(),
        LineKind::Rollback(Rollback::Accepted) => metrics.rollback("accepted"),
        LineKind::Rollback(Rollback::Rejected) => metrics.rollback("rejected"),
        LineKind::Rollback(Rollback::Ignored) => metrics.rollback("ignored"),
        LineKind::Recorded | LineKind::BuildStarted | LineKind::Port | LineKind::Event(_) => {}
    }
}
