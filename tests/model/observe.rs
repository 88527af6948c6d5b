//! The observed state of the model: the same facts that the real `observe` reads from objects, without decisions.

use doce_operator::crd::spec::Takeover;
use doce_operator::reconcile::observed::init::InitJob;
use doce_operator::reconcile::observed::{
    BuildJob, Child, ConfigMap, MissingImage, Observed, Predecessor, Rollout, Service, Set, Trouble,
};

use super::cluster::{Cluster, PAUSE, Port, Template, timestamp};
use super::nature::{self, Health};

/// The repository of the images that are built.
pub(crate) const REPOSITORY: &str = "registry.test/shop";

/// The current observed state.
pub(crate) fn observe(cluster: &Cluster) -> Observed {
    let names_map = cluster.project.source.config_map.is_some();
    Observed {
        now: timestamp(cluster.clock),
        ledger: cluster.ledger.as_ref().map(|(ledger, _)| ledger.clone()),
        orphaned_ledger: cluster.orphaned_ledger,
        records: cluster.known_records(),
        jobs: jobs(cluster),
        inits: inits(cluster),
        rollout: rollout(cluster),
        sets: sets(cluster),
        service: cluster
            .service
            .map(|service| Service { port: service.port, in_sync: in_sync(cluster, service) }),
        config_map: if names_map {
            ConfigMap::Digest(nature::commit(cluster.nature.tip))
        } else {
            ConfigMap::NotAsked
        },
        predecessors: cluster.ghosts.iter().map(ghost).collect(),
        lost_metadata: cluster.lost_metadata.clone(),
        retry_base: PAUSE,
        repository: REPOSITORY.to_owned(),
        ..Observed::default()
    }
}

/// A Service of the other type is not as desired.
fn in_sync(cluster: &Cluster, service: Port) -> bool {
    !service.edited && service.port.is_some() == cluster.project.has_node_port
}

fn ghost((child, name): &(Child, String)) -> Predecessor {
    Predecessor { kind: format!("{child:?}"), name: name.clone(), ..Predecessor::default() }
}

fn jobs(cluster: &Cluster) -> Vec<BuildJob> {
    let job = |(name, job): (&String, &super::cluster::Job)| BuildJob {
        name: name.clone(),
        of: job.of.clone(),
        attempt: job.attempt,
        reason: String::new(),
        state: job.state.clone(),
        started: job.started.map(timestamp),
        finished: Some(timestamp(job.since)).filter(|_| !job.state.is_active()),
        closes: false,
        cutoff: None,
        trouble: None,
    };
    cluster.jobs.iter().map(job).collect()
}

fn inits(cluster: &Cluster) -> Vec<InitJob> {
    let job = |(name, job): (&String, &super::cluster::Init)| InitJob {
        name: name.clone(),
        version: job.version.clone(),
        number: job.number,
        state: job.state.clone(),
        trouble: None,
        cutoff: None,
    };
    cluster.inits.iter().map(job).collect()
}

fn rollout(cluster: &Cluster) -> Option<Rollout> {
    let deployment = cluster.deployment.as_ref()?;
    let set = cluster.sets.get(&deployment.template).cloned().unwrap_or_default();
    let health = cluster.nature.health(deployment.template.version.as_deref().unwrap_or_default());
    let looped = set.pods.iter().any(|pod| pod.exits > 1 && pod.ready.is_none());
    let trouble =
        |reason: &str| Trouble { reason: reason.to_owned(), message: format!("the pods say {reason}") };
    let hopeless = match health {
        Health::Hopeless if !set.pods.is_empty() => Some(trouble("ImagePullBackOff")),
        Health::Crashing if looped => Some(trouble("CrashLoopBackOff")),
        _ => None,
    };
    let counted = deployment.observed == deployment.generation;
    Some(Rollout {
        version: deployment.template.version.clone(),
        stamp: deployment.template.stamp.clone(),
        replicas: i32::try_from(deployment.replicas).unwrap_or(0),
        pods: i32::try_from(cluster.sets.values().map(|set| set.pods.len()).sum::<usize>()).unwrap_or(0),
        updated: i32::try_from(set.pods.len()).unwrap_or(0),
        ailing: i32::try_from(set.pods.iter().filter(|pod| pod.ready.is_none() && pod.exits > 0).count())
            .unwrap_or(0),
        serving: i32::try_from(
            cluster.sets.values().map(|set| set.available(deployment.guard, cluster.clock)).sum::<usize>(),
        )
        .unwrap_or(0),
        in_sync: deployment.template.edit == 0
            && !deployment.unowned
            && deployment.replaces == (cluster.project.rollout.strategy == Takeover::Replace),
        current: counted,
        available: counted && cluster.complete(),
        completed: counted && deployment.complete,
        completed_at: None,
        deadline_over: counted && deployment.timed_out,
        deadline_at: Some(timestamp(deployment.progressed + deployment.deadline))
            .filter(|_| counted && deployment.timed_out),
        outside: health == Health::Away || missing_image(cluster, &set).is_some(),
        hopeless,
        log: String::new(),
        judge_after: None,
        trouble: None,
        missing_image: missing_image(cluster, &set),
    })
}

/// The image that a pod of the version in place waits for, and that its registry does not have.
fn missing_image(cluster: &Cluster, set: &super::cluster::Set) -> Option<MissingImage> {
    let version = cluster.in_place().filter(|version| cluster.lacks_image(version))?;
    let reference = cluster.records.get(version)?.image.as_ref()?.reference.clone();
    let waiting = set.pods.iter().filter(|pod| pod.ready.is_none() && pod.exits == 0);
    let since = timestamp(waiting.map(|pod| pod.born).max()?);
    Some(MissingImage { reference, since })
}

fn sets(cluster: &Cluster) -> Vec<Set> {
    let current = cluster.deployment.as_ref().map(|deployment| &deployment.template);
    let set = |(template, set): (&Template, &super::cluster::Set)| Set {
        name: set_name(template),
        version: template.version.clone(),
        stamp: template.stamp.clone(),
        pods: i32::try_from(set.pods.len()).unwrap_or(0),
        current: current == Some(template),
        in_sync: template.edit == 0,
        revision: set.revision,
    };
    cluster.sets.iter().map(set).collect()
}

/// The name of a template's `ReplicaSet`.
pub(crate) fn set_name(template: &Template) -> String {
    format!("{template:?}")
}
