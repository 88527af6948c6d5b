//! The watches: one per kind, for children by label, trimmed before they are stored. Each fills a cache and reports
//! which projects to reconcile. A broken watch is not fatal: it restarts with backoff.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};

use super::bounded::bound_project;
use super::builder_jobs::BuilderJobs;
use super::cache::{Cache, Losses, Packing};
use super::config_maps::ConfigMaps;
use super::decoded::{Decoded, Trimmed, plain};
use super::live_projects::LiveProjects;
use super::lost_images::LostImages;
use super::packed::Pack;
use super::probe_events::{self, ProbeEvents};
use super::pulses::{Pulse, Pulses};
use super::refused_ports::RefusedPorts;
use super::repairs::Repairs;
use super::streamed::{consistent, events, logged};
use crate::crd::conditions::ConditionType;
use crate::crd::{ProjectDeployment, field_managers};
use crate::desired::{names, service};
use crate::project::Key;
use crate::protocol::lost_list::Place;

/// The caches, one per kind.
#[derive(Debug, Default)]
pub struct Caches {
    /// Ledgers and records.
    pub revisions: Cache<ControllerRevision>,
    /// Deployments.
    pub deployments: Cache<Deployment>,
    /// Their ReplicaSets.
    pub sets: Cache<ReplicaSet>,
    /// Services.
    pub services: Cache<Service>,
    /// NetworkPolicies of projects that say who may connect.
    pub network_policies: Cache<NetworkPolicy>,
    /// Build Jobs.
    pub jobs: Cache<Job>,
    /// Jobs of builder pods, and these pods. Nothing waits for the list of the pods: it only ends builds earlier.
    pub builder_jobs: BuilderJobs,
    /// Pods of apps and builds.
    pub pods: Cache<Pod>,
    /// Failed health checks that kubelets reported. Nothing waits for this list: it only improves messages.
    pub probe_events: ProbeEvents,
    /// Digests of ConfigMaps that are a source.
    pub config_maps: ConfigMaps,
    /// Images that the embedded registry lost, as the sweep saw it. Nothing waits for this list.
    pub lost_images: LostImages,
    /// The projects as the watch or our own last write of their status has them.
    pub resources: Cache<ProjectDeployment>,
    /// The existing projects.
    pub projects: LiveProjects,
    /// Node ports that the API server refused lately.
    pub refused_ports: RefusedPorts,
    /// Labels and owners that were restored lately.
    pub repairs: Repairs,
    /// Whether the watches work, except that of health checks.
    pub pulses: Pulses,
    /// Notified whenever a list is complete.
    pub listed: Notify,
    /// Notified whenever a Job changes, for the build queue.
    pub jobs_changed: Notify,
    /// Notified whenever something changes that builder pods depend on.
    pub builders_changed: Notify,
}

/// Objects that nothing has used for one to two of these periods are packed. Longer periods cost memory while many projects
/// change; shorter ones unpack the same objects again and again during one rollout.
const REST: Duration = Duration::from_secs(2);

impl Pack for ProjectDeployment {
    const IS_CHILD: bool = false;

    fn project(&self) -> Option<Key> {
        Some((self.namespace()?, self.name_any()))
    }

    fn has_work(&self) -> bool {
        let Some(status) = &self.status else { return true };
        let works = ConditionType::Reconciling.name(); // Present only while True.
        Some(status.observed_generation) != self.metadata.generation
            || status.conditions.iter().any(|condition| condition.type_ == works)
    }
}
impl Pack for ControllerRevision {}
impl Pack for Deployment {}
impl Pack for ReplicaSet {
    const IS_CHILD: bool = false; // The Deployment controller makes them.
}
impl Pack for Service {
    fn node_port(&self) -> Option<u16> {
        service::node_port(self)
    }
}
impl Pack for NetworkPolicy {}
impl Pack for Pod {
    const IS_CHILD: bool = false;
}
impl Pack for Job {
    const PACKS: bool = false; // The build queue reads all of them, and they are gone within hours.
    const ONLY_PASSES_WRITE: bool = false; // The build queue starts them.
}

impl Caches {
    /// Every first list is complete.
    pub fn synced(&self) -> bool {
        self.resources.synced()
            && self.revisions.synced()
            && self.deployments.synced()
            && self.sets.synced()
            && self.services.synced()
            && self.network_policies.synced()
            && self.jobs.synced()
            && self.pods.synced()
            && self.config_maps.synced()
    }

    /// Packs the objects of a project if none changed since they were packed last: a pass only read them. Otherwise a start or a
    /// resync of all projects would unpack all of them at the same time.
    pub fn close_if_unchanged(&self, key: &Key) {
        let caches = self.packing();
        if !caches.iter().any(|cache| cache.is_fresh(key)) {
            for cache in caches {
                cache.close(key);
            }
        }
    }

    /// Drops what is remembered of a project that no longer exists, besides its objects, which Kubernetes deletes. What only says
    /// that a known project may be gone is of no use then.
    pub fn forget_if_gone(&self, key: &Key) {
        if !self.resources.may_have(key) {
            for cache in self.missed() {
                cache.take_lost_child(key);
            }
            self.config_maps.unnamed(key);
            self.repairs.forget(key);
        }
    }

    /// Caches of the kinds that the operator creates again if they are missing.
    pub(super) fn missed(&self) -> [&dyn Losses; 5] {
        [&self.revisions, &self.deployments, &self.services, &self.network_policies, &self.jobs]
    }

    /// How much the operator holds in memory, by what it is. Everything but the builder pods and the failed health checks, which
    /// end with their objects, belongs to existing projects.
    pub fn held(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("ProjectDeployments", self.resources.held()),
            ("ControllerRevisions", self.revisions.held()),
            ("Deployments", self.deployments.held()),
            ("ReplicaSets", self.sets.held()),
            ("Services", self.services.held()),
            ("NetworkPolicies", self.network_policies.held()),
            ("Jobs", self.jobs.held()),
            ("Pods", self.pods.held()),
            ("builder pods", self.builder_jobs.all().len()),
            ("failed health checks", self.probe_events.held()),
            ("named ConfigMaps", self.config_maps.remembered()),
            ("lost images", self.lost_images.held()),
            ("uids of projects", self.projects.held()),
            ("lost and deleted children", self.missed().iter().map(|cache| cache.remembered()).sum()),
        ]
    }

    /// Caches of the kinds whose objects are packed.
    fn packing(&self) -> [&dyn Packing; 7] {
        [
            &self.resources,
            &self.revisions,
            &self.deployments,
            &self.sets,
            &self.services,
            &self.network_policies,
            &self.pods,
        ]
    }

    async fn feed<K>(
        &self,
        stream: impl Stream<Item = watcher::Event<K>>,
        hear: impl Fn(watcher::Event<K>) -> Vec<Key>,
        changed: &mpsc::Sender<Key>,
    ) {
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            let listed = matches!(event, watcher::Event::InitDone);
            let concerned = hear(event);
            if listed {
                for cache in self.missed() {
                    cache.keep_marks_of(&|key: &Key| self.resources.may_have(key));
                }
                self.listed.notify_waiters();
            }
            for key in concerned {
                self.forget_if_gone(&key);
                if changed.send(key).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Packs the objects of projects at rest, until the receiver of `changed` is gone.
    async fn pack_what_rests(&self, changed: &mpsc::Sender<Key>) {
        while tokio::time::timeout(REST, changed.closed()).await.is_err() {
            for cache in self.packing() {
                cache.rest();
            }
        }
    }

    /// See [`super::Cluster::watch`].
    pub(super) async fn watch(
        self: Arc<Self>,
        client: Client,
        namespace: Option<String>,
        builds: Option<String>,
        lost: Option<Place>,
        changed: mpsc::Sender<Key>,
    ) {
        let namespace = namespace.as_deref();
        let lost_heard = |event| {
            let namespaces = self.lost_images.heard(event);
            let mut keys = if namespaces.is_empty() { vec![] } else { self.resources.keys() };
            keys.retain(|(namespace, _)| namespaces.contains(namespace));
            keys
        };
        let jobs_heard = |event| {
            let keys = self.jobs.heard(event);
            // Only now: the queue must find the change in the cache.
            self.jobs_changed.notify_one();
            self.builders_changed.notify_one();
            keys
        };
        let pods_heard = |event| {
            let builds = matches!(&event, watcher::Event::Apply(pod) if is_build(pod));
            let keys = self.pods.heard(event);
            if builds {
                self.builders_changed.notify_one();
            }
            keys
        };
        let of_build = |uid: Option<String>| {
            let jobs = uid.map(|uid| (self.jobs.all(), uid));
            let build = jobs
                .and_then(|(jobs, uid)| jobs.into_iter().find(|job| job.metadata.uid.as_ref() == Some(&uid)));
            build.and_then(|build| build.project()).into_iter().collect()
        };
        let builders_heard = |event| {
            let build = self.builder_jobs.heard(&event);
            self.builders_changed.notify_one();
            of_build(build)
        };
        let builder_pods_heard = |event| of_build(self.builder_jobs.pod_heard(&event));
        let projects_heard = |event: watcher::Event<ProjectDeployment>| {
            if self.projects.heard(&event) {
                self.jobs_changed.notify_one(); // Waiting builds may belong to a known project now.
            }
            self.resources.heard(event)
        };
        let client = &client;
        let pulse = self.pulses.begin("ProjectDeployments");
        let projects = Api::<ProjectDeployment>::all_or(&consistent(client, &pulse), namespace);
        let projects = events(projects, watcher::Config::default()).modify(|object| {
            field_managers::thin(object.metadata.managed_fields.as_mut());
            bound_project(object);
        });
        let projects = logged(projects, pulse);
        let pulse = self.pulses.begin("ConfigMaps");
        let maps = Api::<PartialObjectMeta<ConfigMap>>::all_or(&consistent(client, &pulse), namespace);
        let maps = logged(events(maps, watcher::Config::default()), pulse);
        let unhealthy = watcher::Config::default().fields(&probe_events::selector());
        // Nothing waits for these events.
        let unhealthy = trimmed(client, Arc::new(Pulse::new("Events")), namespace, unhealthy);
        let pulse = |what| self.pulses.begin(what);
        let builds = builds.as_deref();
        let of_jobs = builds.map(|builds| (builds, pulse("Jobs of builder pods")));
        let builder_jobs = builders(client, of_jobs, namespace);
        // Nothing waits for these pods.
        let of_pods = builds.map(|builds| (builds, Arc::new(Pulse::new("builder pods"))));
        let builder_pods = builders(client, of_pods, namespace);
        let lost_images = lists_of_lost_images(client, lost.as_ref());
        let revisions = children(client, pulse("ControllerRevisions"), namespace);
        let deployments = children(client, pulse("Deployments"), namespace);
        let sets = children(client, pulse("ReplicaSets"), namespace);
        let services = children(client, pulse("Services"), namespace);
        let network_policies = children(client, pulse("NetworkPolicies"), namespace);
        let jobs = children(client, pulse("Jobs"), namespace);
        let pods = children(client, pulse("Pods"), namespace);
        tokio::join!(
            self.feed(projects, projects_heard, &changed),
            self.feed(revisions, |event| self.revisions.heard(event), &changed),
            self.feed(deployments, |event| self.deployments.heard(event), &changed),
            self.feed(sets, |event| self.sets.heard(event), &changed),
            self.feed(services, |event| self.services.heard(event), &changed),
            self.feed(network_policies, |event| self.network_policies.heard(event), &changed),
            self.feed(jobs, jobs_heard, &changed),
            self.feed(pods, pods_heard, &changed),
            self.feed(builder_jobs, builders_heard, &changed),
            self.feed(builder_pods, builder_pods_heard, &changed),
            self.feed(unhealthy, |event| self.probe_events.heard(event), &changed),
            self.feed(maps, |event| self.config_maps.heard(event), &changed),
            self.feed(lost_images, lost_heard, &changed),
            self.pack_what_rests(&changed),
        );
    }
}

fn is_build(pod: &Pod) -> bool {
    pod.labels().get(names::ROLE).is_some_and(|role| role == names::ROLE_BUILD)
}

/// The Jobs of builder pods that work for `namespace` or for all, or their pods. Without a namespace of `builds`, there are none.
fn builders<K>(
    client: &Client,
    builds: Option<(&str, Arc<Pulse>)>,
    namespace: Option<&str>,
) -> impl Stream<Item = watcher::Event<K>> + use<K>
where
    K: Trimmed,
    Decoded<K>: Watched,
{
    let mut selector = format!("{}={}", names::ROLE, names::ROLE_BUILDER);
    selector
        .extend(namespace.into_iter().flat_map(|namespace| [",", names::BUILD_NAMESPACE, "=", namespace]));
    let config = watcher::Config::default().labels(&selector);
    let events = builds.map(|(builds, pulse)| trimmed(client, pulse, Some(builds), config));
    futures::stream::iter(events).flatten()
}

/// The ConfigMap of the sweep. Nothing waits for it.
fn lists_of_lost_images(
    client: &Client,
    place: Option<&Place>,
) -> impl Stream<Item = watcher::Event<ConfigMap>> + use<> {
    let events = place.map(|place| {
        let pulse = Arc::new(Pulse::new("list of lost images"));
        let api = Api::<ConfigMap>::namespaced(consistent(client, &pulse), &place.namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={}", place.name));
        logged(events(api, config), pulse)
    });
    futures::stream::iter(events).flatten()
}

fn children<K>(
    client: &Client,
    pulse: Arc<Pulse>,
    namespace: Option<&str>,
) -> impl Stream<Item = watcher::Event<K>> + use<K>
where
    K: Trimmed,
    Decoded<K>: Watched,
{
    trimmed(client, pulse, namespace, watcher::Config::default().labels(names::PROJECT))
}

fn trimmed<K>(
    client: &Client,
    pulse: Arc<Pulse>,
    namespace: Option<&str>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Event<K>> + use<K>
where
    K: Trimmed,
    Decoded<K>: Watched,
{
    let api = Api::<Decoded<K>>::all_or(&consistent(client, &pulse), namespace);
    logged(events(api, config), pulse).map(plain)
}

/// A namespaced kind that can be watched.
trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + std::fmt::Debug
    + Send
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static
{
}

trait AllOr: Sized {
    fn all_or(client: &Client, namespace: Option<&str>) -> Self;
}

impl<K: Watched> AllOr for Api<K> {
    fn all_or(client: &Client, namespace: Option<&str>) -> Self {
        namespace.map_or_else(
            || Self::all(client.clone()),
            |namespace| Self::namespaced(client.clone(), namespace),
        )
    }
}

#[cfg(test)]
mod tests;
