//! First step of the loop (I/O): turns the caches of one project's children into an [`Observed`]. It reads from the API
//! server only the content of a source ConfigMap that changed, and pods of Jobs that ended. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{Resource, ResourceExt as _};

use super::facts;
use super::facts::health::ProbeEvent;
use super::facts::pod::Looked;
use super::observed;
use super::observed::init::InitJob;
use super::observed::{
    BuildJob, Child, ConfigMap, Contested, JobState, LostMetadata, Objects, Observed, Predecessor, Refusal,
};
use crate::build_queue::admit::BuildStarter;
use crate::build_queue::positions::Positions;
use crate::build_queue::schedule::Limits;
use crate::cluster::config_maps::Known;
use crate::cluster::lost_images::listed;
use crate::cluster::ownership::{is_orphan, is_ours};
use crate::cluster::repair_metadata::said;
use crate::cluster::repairs::Contest;
use crate::cluster::{Cluster, Error};
use crate::desired::drift::{as_desired, without_kind};
use crate::desired::{meta, names, network_policy, service};
use crate::image_cleanup::facts as cleanup;
use crate::image_cleanup::observed::Cleanups;
use crate::memory::ledger::Ledger;
use crate::memory::lost_images;
use crate::memory::record::Record;
use crate::memory::revisions;
use crate::platform::Platform;
use crate::project::{DigestSource, Project};

/// Inputs that do not come from the children.
#[derive(Clone, Debug)]
pub struct ObserveContext<'a> {
    /// Addresses and images of the platform.
    pub platform: &'a Platform,
    /// First retry delay after a fault, in seconds.
    pub retry_base: u32,
    /// Writes that were rejected in this pass.
    pub refusals: &'a [Refusal],
    /// Positions in the build queue.
    pub positions: &'a Positions,
    /// What is known about rejected starts.
    pub starts: &'a BuildStarter,
    /// How many builds may run at a time.
    pub limits: Limits,
}

/// Observes everything that belongs to `project`.
pub async fn observe(
    cluster: &Cluster,
    project: &Project,
    context: &ObserveContext<'_>,
) -> Result<Observed, Error> {
    let key = (project.namespace.clone(), project.name.clone());
    let caches = cluster.caches();
    let (revisions, deployments) = (caches.revisions.of(&key), caches.deployments.of(&key));
    let (services, jobs) = (caches.services.of(&key), caches.jobs.of(&key));
    let policies = caches.network_policies.of(&key);
    let predecessors = [
        predecessors(project, &revisions),
        predecessors(project, &deployments),
        predecessors(project, &services),
        predecessors(project, &policies),
        predecessors(project, &jobs),
    ];
    let recorded = recorded(project, &revisions);
    let records: BTreeMap<_, _> = recorded
        .iter()
        .filter_map(|object| revisions::read(object))
        .map(|record| (record.facts.version.clone(), record))
        .collect();
    let deployment = ours(project, &deployments, &project.name);
    let service = ours(project, &services, &project.name);
    let network_policy = ours(project, &policies, &project.name);
    // ReplicaSets and pods of an earlier project keep its label: another one would restart them.
    let owners: BTreeSet<String> = deployment.iter().filter_map(|deployment| deployment.uid()).collect();
    let sets: Vec<Arc<ReplicaSet>> = below(project, caches.sets.of(&key), &owners);
    let own_jobs: Vec<Arc<Job>> = jobs.iter().filter(|job| is_ours(project, &***job)).cloned().collect();
    let owners: BTreeSet<String> =
        sets.iter().filter_map(|set| set.uid()).chain(own_jobs.iter().filter_map(|job| job.uid())).collect();
    let pods: Vec<Arc<Pod>> = below(project, caches.pods.of(&key), &owners);
    let ledger = ours(project, &revisions, &project.name);
    let memory = ledger.as_ref().and_then(|ledger| revisions::read_ledger(ledger));
    let now = Timestamp::now();
    let probe_events = probe_events(cluster, &pods);
    let looked = Looked { now, probe_events: &probe_events };
    let rollout = deployment.as_ref().map(|deployment| {
        let record = facts::rollout::version_in_place(deployment).and_then(|version| records.get(version));
        facts::rollout::rollout(project, deployment, record, &sets, &pods, looked)
    });
    let is_open = |job: &BuildJob| facts::build::is_open(memory.as_ref(), &records, job);
    let builds = builds(cluster, &own_jobs, &pods, now, is_open).await?;
    let inits = inits(cluster, memory.as_ref(), &records, &own_jobs, &pods, now).await?;
    let cleanups = Cleanups {
        jobs: own_jobs
            .iter()
            .filter_map(|job| {
                cleanup::job(project, context.platform, job, || cluster.caches().revisions.all())
            })
            .collect(),
        orphans: orphans(cluster, project, context.platform, &records),
    };
    let config_map = config_map(cluster, project).await?;
    let queued = builds.iter().find(|job| job.state == JobState::Queued);
    let queued_job = queued.and_then(|queued| own_jobs.iter().find(|job| job.name_any() == queued.name));
    Ok(Observed {
        now,
        orphaned_ledger: ledger.as_ref().is_some_and(|ledger| is_orphan(project, &**ledger)),
        position: queued
            .and_then(|job| context.positions.of(cluster, context.limits, &project.namespace, &job.name)),
        start_rejected: queued_job.and_then(|job| context.starts.rejection(job)),
        jobs: builds,
        inits,
        cleanups,
        rollout,
        sets: sets.iter().map(|set| facts::rollout::set(deployment.as_deref(), &records, set)).collect(),
        service: service.as_deref().map(|object| read_service(project, object)),
        network_policy: network_policy.as_deref().map(|object| read_policy(project, object)),
        listed_lost: listed(
            &cluster.caches().lost_images,
            records.values().filter_map(|record| record.image.as_ref()).map(|image| &image.reference),
        ),
        records: lost_images::set_apart(records, memory.as_ref()),
        ledger: memory,
        config_map,
        predecessors: predecessors.concat(),
        lost_metadata: lost_metadata(
            project,
            &revisions,
            &jobs,
            deployment.as_deref(),
            service.as_deref(),
            network_policy.as_deref().filter(|_| project.allow_from.is_some()), // Else it is about to be deleted.
        ),
        contested: cluster.caches().repairs.contests(&key).iter().map(contested).collect(),
        objects: Objects {
            deployment,
            service,
            network_policy,
            ledger,
            records: recorded,
            replica_sets: sets,
            jobs: own_jobs,
        },
        refusals: context.refusals.to_vec(),
        retry_base: context.retry_base,
        repository: context.platform.pulled_from(project),
    })
}

/// The last failed health check that kubelets reported for each of these pods.
fn probe_events(cluster: &Cluster, pods: &[Arc<Pod>]) -> BTreeMap<String, ProbeEvent> {
    let of = |pod: &Arc<Pod>| {
        let uid = pod.uid()?;
        let (said, at) = cluster.caches().probe_events.of(&uid)?;
        Some((uid, ProbeEvent { said, at }))
    };
    pods.iter().filter_map(of).collect()
}

/// Versions whose image may be deleted. Computed only if a record may be about to be deleted, because it reads the
/// records of all projects.
fn orphans(
    cluster: &Cluster,
    project: &Project,
    platform: &Platform,
    records: &BTreeMap<String, Record>,
) -> BTreeSet<String> {
    if records.len() <= project.limit || platform.outside(project).is_none() {
        return BTreeSet::new();
    }
    cleanup::orphans(project, platform, records, &cluster.caches().revisions.all())
}

/// The child of that name that belongs to exactly this project.
fn ours<K: Resource>(project: &Project, objects: &[Arc<K>], name: &str) -> Option<Arc<K>> {
    objects.iter().find(|object| object.name_any() == name && is_ours(project, &***object)).cloned()
}

/// The records that are not being deleted.
fn recorded(project: &Project, revisions: &[Arc<ControllerRevision>]) -> Vec<Arc<ControllerRevision>> {
    let ours =
        revisions.iter().filter(|object| is_ours(project, &***object) && object.name_any() != project.name);
    ours.filter(|object| object.metadata.deletion_timestamp.is_none()).cloned().collect()
}

/// ReplicaSets or pods that have the project's label or belong to one of `owners`.
fn below<K: Resource>(project: &Project, objects: Vec<Arc<K>>, owners: &BTreeSet<String>) -> Vec<Arc<K>> {
    let is_below = |object: &Arc<K>| {
        object.labels().get(names::UID) == Some(&project.uid)
            || object.owner_references().iter().any(|owner| owners.contains(&owner.uid))
    };
    objects.into_iter().filter(is_below).collect()
}

fn lost_metadata(
    project: &Project,
    revisions: &[Arc<ControllerRevision>],
    jobs: &[Arc<Job>],
    deployment: Option<&Deployment>,
    service: Option<&Service>,
    policy: Option<&NetworkPolicy>,
) -> Vec<LostMetadata> {
    let ledger_or_record = |object: &Arc<ControllerRevision>| {
        let (child, role) = if object.name_any() == project.name {
            (Child::Ledger, names::ROLE_LEDGER)
        } else {
            (Child::Record, names::ROLE_RECORD)
        };
        lost_marks(project, &**object, role).then(|| LostMetadata { child, name: object.name_any() })
    };
    let job = |object: &Arc<Job>| {
        lost_marks(project, &**object, names::role_of_job(object))
            .then(|| LostMetadata { child: Child::Job, name: object.name_any() })
    };
    let lost = |child, name| LostMetadata { child, name };
    let deployment = deployment.filter(|object| lost_marks(project, *object, names::ROLE_APP));
    let service = service.filter(|object| lost_marks(project, *object, names::ROLE_APP));
    let policy = policy.filter(|object| lost_marks(project, *object, names::ROLE_APP));
    revisions
        .iter()
        .filter_map(ledger_or_record)
        .chain(jobs.iter().filter_map(job))
        .chain(deployment.map(|object| lost(Child::Deployment, object.name_any())))
        .chain(service.map(|object| lost(Child::Service, object.name_any())))
        .chain(policy.map(|object| lost(Child::NetworkPolicy, object.name_any())))
        .collect()
}

fn contested(contest: &Contest) -> Contested {
    let (kind, name) = contest.object.clone();
    let (message, waits, look_after) = (said(contest), contest.waits, contest.left);
    Contested { kind, name, message, waits, look_after }
}

fn lost_marks<K: Resource>(project: &Project, object: &K, role: &str) -> bool {
    is_ours(project, object)
        && object.meta().deletion_timestamp.is_none()
        && !meta::has_metadata(project, object, role)
}

/// The build Jobs. If one ended and its known pods have no report, the watch may lag behind: its pods are read before
/// the Job counts as lost, unless its end is already recorded.
async fn builds(
    cluster: &Cluster,
    jobs: &[Arc<Job>],
    pods: &[Arc<Pod>],
    now: Timestamp,
    is_open: impl Fn(&BuildJob) -> bool,
) -> Result<Vec<BuildJob>, Error> {
    let mut builds = vec![];
    for job in jobs {
        let builder = job.uid().and_then(|uid| cluster.caches().builder_jobs.of_build(&uid));
        let read = |pods: &[Arc<Pod>]| {
            let build = facts::build::job(job, pods, builder.as_ref())?;
            Some(facts::build::by_now(build, job, pods, now))
        };
        let Some(seen) = read(pods) else { continue };
        if matches!(seen.state, JobState::Lost(_)) && is_open(&seen) {
            builds.extend(read(&cluster.pods_of(job).await?));
        } else {
            builds.push(seen);
        }
    }
    Ok(builds)
}

/// The Jobs that run an init command. If one failed and its known pods have no report, its pods are read, as for
/// builds.
async fn inits(
    cluster: &Cluster,
    memory: Option<&Ledger>,
    records: &BTreeMap<String, Record>,
    jobs: &[Arc<Job>],
    pods: &[Arc<Pod>],
    now: Timestamp,
) -> Result<Vec<InitJob>, Error> {
    let mut inits = vec![];
    for job in jobs {
        let read = |pods: &[Arc<Pod>]| {
            let record = job.annotations().get(names::INIT_OF).and_then(|version| records.get(version));
            facts::init::job(job, pods, record, now)
        };
        let Some(seen) = read(pods) else { continue };
        if facts::init::is_unheard(memory, &seen, pods, job) {
            inits.extend(read(&cluster.pods_of(job).await?));
        } else {
            inits.push(seen);
        }
    }
    Ok(inits)
}

/// Children of a deleted project of this name that Kubernetes is still collecting.
fn predecessors<K: Resource<DynamicType = ()>>(project: &Project, objects: &[Arc<K>]) -> Vec<Predecessor> {
    let of_namesake = |object: &&Arc<K>| {
        let owner = project.owner();
        object
            .owner_references()
            .iter()
            .any(|there| there.kind == owner.kind && there.name == owner.name && there.uid != owner.uid)
    };
    let predecessor = |object: &Arc<K>| {
        let deleted_at = object.meta().deletion_timestamp.as_ref().map(|time| time.0);
        Predecessor {
            kind: K::kind(&()).into_owned(),
            resource: K::plural(&()).into_owned(),
            name: object.name_any(),
            deleted_at,
            since: deleted_at.or(project.created),
            finalizers: object.finalizers().to_vec(),
        }
    };
    objects.iter().filter(of_namesake).map(predecessor).collect()
}

fn read_service(project: &Project, object: &Service) -> observed::Service {
    let want = meta::without_marks(project, without_kind(service::apply(project, None)));
    observed::Service {
        port: service::node_port(object),
        in_sync: meta::same_copied(project, object)
            && serde_json::to_value(object).is_ok_and(|live| as_desired(&live, &want)),
    }
}

fn read_policy(project: &Project, object: &NetworkPolicy) -> observed::NetworkPolicy {
    let want = network_policy::apply(project).ok().flatten();
    let want = want.map(|want| meta::without_marks(project, without_kind(want)));
    let live = serde_json::to_value(object).ok();
    let as_desired = live.zip(want).is_some_and(|(live, want)| as_desired(&live, &want));
    observed::NetworkPolicy {
        in_sync: as_desired
            && network_policy::has_rules(project, object)
            && meta::same_copied(project, object),
        ending: object.metadata.deletion_timestamp.is_some(),
    }
}

async fn config_map(cluster: &Cluster, project: &Project) -> Result<ConfigMap, Error> {
    let maps = &cluster.caches().config_maps;
    let key = (project.namespace.clone(), project.name.clone());
    let DigestSource::ConfigMap(name) = project.origin() else {
        maps.unnamed(&key);
        return Ok(ConfigMap::NotAsked);
    };
    let map = (project.namespace.clone(), name.clone());
    match maps.known(&map, &key) {
        Known::Missing => Ok(ConfigMap::Missing),
        Known::Digest(digest) => Ok(ConfigMap::Digest(digest)),
        Known::Unread => {
            if let Some(object) = cluster.config_map(&project.namespace, &name).await? {
                return Ok(ConfigMap::Digest(maps.read(&object)));
            }
            maps.missing(&map);
            Ok(ConfigMap::Missing)
        }
    }
}
