//! Writes the Deployment (I/O).

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt as _;

use crate::cluster::{Cluster, Error};
use crate::desired::deployment::{self, RolloutTimings};
use crate::desired::extras::Extras;
use crate::desired::names;
use crate::project::Project;

use super::super::decide::DesiredDeployment;
use super::super::facts::rollout::{revision, startup, timings_in_place, version_in_place};
use super::super::observed::{Child, Observed};
use super::{Outcome, altered};

/// Creates or changes the Deployment.
pub(super) async fn apply(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    desired: &DesiredDeployment,
) -> Result<Outcome, Error> {
    let seen = observed.objects.deployment.clone();
    if seen.as_ref().is_some_and(|seen| seen.owner_references().is_empty()) {
        cluster.make_sure_of(project).await?;
    }
    let record = desired.version.as_ref().and_then(|version| observed.records.get(version));
    let stamp = desired.stamp.as_deref();
    let same = observed.rollout.as_ref().is_some_and(|rollout| rollout.stamp.as_deref() == stamp)
        && seen.as_ref().and_then(|seen| version_in_place(seen)) == desired.version.as_deref();
    let there = Extras::there(seen.as_ref().and_then(|seen| seen.spec.as_ref()).map(|spec| &spec.template));
    let (timings, extras) = match (&seen, kept_set(observed, desired)) {
        (Some(seen), _) if same => (timings_in_place(seen), there.clone()),
        (_, Some(set)) => {
            let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
            let timings = RolloutTimings::of(project, desired.trial);
            let startup = startup(template).or(timings.startup);
            (RolloutTimings { startup, ..timings }, Extras::there(template))
        }
        _ => (RolloutTimings::of(project, desired.trial), Extras::fresh(&project.copied, &there)),
    };
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

/// The newest ReplicaSet of the desired version and stamp. Its startup budget and extras are part of its template, so
/// reusing them makes a rollback match it.
fn kept_set<'a>(observed: &'a Observed, desired: &DesiredDeployment) -> Option<&'a Arc<ReplicaSet>> {
    let same = |set: &&Arc<ReplicaSet>| {
        let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
        let metadata = template.and_then(|template| template.metadata.as_ref());
        let annotations = metadata.and_then(|metadata| metadata.annotations.as_ref());
        let is =
            |name, value: &Option<String>| annotations.and_then(|there| there.get(name)) == value.as_ref();
        is(names::VERSION, &desired.version) && is(names::RESTARTED, &desired.stamp)
    };
    observed.objects.replica_sets.iter().filter(same).max_by_key(|set| revision(set))
}
