//! Writes the Deployment (I/O).

use std::sync::Arc;

use crate::cluster::{Cluster, Error};
use crate::desired::deployment::{self, RolloutTimings};
use crate::desired::extras::Extras;
use crate::project::Project;

use super::super::decide::{DesiredDeployment, TemplateOrigin};
use super::super::facts::rollout::{startup, timings_in_place};
use super::super::observed::objects::named;
use super::super::observed::{Child, Observed};
use super::ownership::require_alive_if_unowned;
use super::{Outcome, altered};

/// Creates or changes the Deployment.
pub(super) async fn apply(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    desired: &DesiredDeployment,
) -> Result<Outcome, Error> {
    let seen = observed.objects.deployment.clone();
    require_alive_if_unowned(cluster, project, seen.as_deref()).await?;
    let record = desired.version.as_ref().and_then(|version| observed.records.get(version));
    let stamp = desired.stamp.as_deref();
    let there = Extras::there(seen.as_ref().and_then(|seen| seen.spec.as_ref()).map(|spec| &spec.template));
    let (timings, extras) = unrecorded(project, observed, desired, &there);
    let want = record.and_then(|record| deployment::apply(project, record, stamp, desired.replicas, timings));
    match (want, seen) {
        (Some(mut want), seen) => {
            extras.add_to(&mut want);
            let seen = match seen {
                Some(seen) if there.restarted_by_kubectl() && !extras.restarted_by_kubectl() => {
                    Some(Arc::new(cluster.take_over_restart(&seen).await?))
                }
                seen => seen,
            };
            let written = cluster.apply_deployment(project, seen.as_deref(), want.clone()).await?;
            return Ok(altered::kept(Child::Deployment, project, &written, want));
        }
        (None, Some(seen)) => cluster.scale_deployment(project, &seen, desired.replicas).await?,
        (None, None) => {}
    }
    Ok(Outcome::Done)
}

/// Rollout timings and extras, which no record holds.
fn unrecorded(
    project: &Project,
    observed: &Observed,
    desired: &DesiredDeployment,
    there: &Extras,
) -> (RolloutTimings, Extras) {
    let objects = &observed.objects;
    let timings = RolloutTimings::of(project, desired.trial);
    match &desired.template {
        TemplateOrigin::InPlace => {
            (objects.deployment.as_deref().map_or(timings, timings_in_place), there.clone())
        }
        TemplateOrigin::ReplicaSet(name) => {
            let set = named(&objects.replica_sets, name).and_then(|set| set.spec.as_ref());
            let template = set.and_then(|spec| spec.template.as_ref());
            let startup = startup(template).or(timings.startup);
            (RolloutTimings { startup, ..timings }, Extras::there(template))
        }
        TemplateOrigin::Project => (timings, Extras::fresh(&project.copied, there)),
    }
}
