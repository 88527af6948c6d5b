//! Every write, each with its guard. Creations use deterministic names. Changes use server-side apply with one field
//! manager on the observed object (uid and resource version). The ledger uses compare-and-swap. The operator never
//! adopts an object that belongs to another owner (docs/decisions/0038).

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::request::Request;
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::body::body;
use super::bounded::{Bounded, answered};
use super::builder_jobs::BuilderJob;
use super::ownership::is_ours;
use super::packed::Pack;
use super::{Cache, Cluster, Error};
use crate::crd::{ProjectDeployment, ProjectDeploymentStatus};
use crate::desired::names;
use crate::project::Project;

/// A resource version that no object has. The API server creates an object from a server-side apply with it, and answers
/// 409 if one of that name exists (docs/decisions/0058).
const NEVER: &str = "9223372036854775807";

/// A kind of child.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + Serialize
    + std::fmt::Debug
{
}

impl<
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
> Kind for K
{
}

/// A kind of child that is cached.
pub(super) trait Cached: Kind + Pack + Bounded {}
impl<K: Kind + Pack + Bounded> Cached for K {}

impl Cluster {
    /// Creates the ledger or a record. It is a conflict if another operator was faster.
    pub async fn create_revision(&self, project: &Project, object: &ControllerRevision) -> Result<(), Error> {
        self.create(project, object, &self.caches.revisions).await
    }

    /// Creates a build Job.
    pub async fn create_job(&self, project: &Project, object: &Job) -> Result<(), Error> {
        let mut job = Box::new(object.clone());
        let written_for = project.generation.to_string();
        job.annotations_mut().insert(names::GENERATION.to_owned(), written_for);
        self.create(project, &*job, &self.caches.jobs).await
    }

    /// Creates the Job of a builder pod. It is a conflict if one of that name exists, which the watch is about to report.
    pub async fn create_builder(&self, object: &Job) -> Result<(), Error> {
        let namespace = object.namespace().unwrap_or_default();
        match self.post(&namespace, object).await {
            Ok(written) => {
                self.caches.builder_jobs.wrote(&written);
                Ok(())
            }
            Err(error) => {
                Err(Error::sort(&format!("create Job {} in {namespace}", object.name_any()), error))
            }
        }
    }

    /// Deletes the Job of a builder pod with its pod.
    pub async fn delete_builder(&self, seen: &BuilderJob) -> Result<(), Error> {
        let preconditions = Preconditions { uid: Some(seen.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        match self.api::<Job>(&seen.namespace).delete(&seen.name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Error::sort(&format!("delete Job {}", seen.name), error)),
        }
        self.caches.builder_jobs.deleted(&seen.name);
        Ok(())
    }

    /// Writes the ledger, if it is still as it was observed.
    pub async fn write_ledger(&self, seen: &ControllerRevision, text: &str) -> Result<(), Error> {
        let patch = json!({ "metadata": { "annotations": { names::LEDGER: text } } });
        self.change("write the ledger", seen, patch, &self.caches.revisions).await
    }

    /// Writes the image of a version into its record, if the record has not changed since it was observed.
    pub async fn note_image(&self, seen: &ControllerRevision, text: &str) -> Result<(), Error> {
        let patch = json!({ "metadata": { "annotations": { names::IMAGE: text } } });
        self.change("record the image in", seen, patch, &self.caches.revisions).await
    }

    /// Creates or changes the Deployment, and returns the API server's answer.
    pub async fn apply_deployment(
        &self,
        project: &Project,
        seen: Option<&Deployment>,
        mut want: Value,
    ) -> Result<Deployment, Error> {
        want["metadata"]["annotations"][names::GENERATION] = json!(project.generation.to_string());
        self.apply(project, seen, want, &self.caches.deployments).await
    }

    /// Changes the replicas of the Deployment and nothing else.
    pub async fn scale_deployment(
        &self,
        project: &Project,
        seen: &Deployment,
        replicas: i32,
    ) -> Result<(), Error> {
        let written_for = json!({ names::GENERATION: project.generation.to_string() });
        let patch = json!({ "metadata": { "annotations": written_for }, "spec": { "replicas": replicas } });
        self.change("scale", seen, patch, &self.caches.deployments).await
    }

    /// Creates or changes the Service, and returns the API server's answer.
    pub async fn apply_service(
        &self,
        project: &Project,
        seen: Option<&Service>,
        want: Value,
    ) -> Result<Service, Error> {
        self.apply(project, seen, want, &self.caches.services).await
    }

    /// Creates or changes the NetworkPolicy, and returns the API server's answer.
    pub async fn apply_network_policy(
        &self,
        project: &Project,
        seen: Option<&NetworkPolicy>,
        want: Value,
    ) -> Result<NetworkPolicy, Error> {
        self.apply(project, seen, want, &self.caches.network_policies).await
    }

    /// Deletes the NetworkPolicy.
    pub async fn delete_network_policy(&self, seen: &NetworkPolicy) -> Result<(), Error> {
        self.delete(seen, &self.caches.network_policies, DeleteParams::background()).await
    }

    /// Starts a queued Job.
    pub async fn release_job(&self, seen: &Job) -> Result<(), Error> {
        // Without its resource version: the Job controller writes too.
        let patch = json!({ "metadata": { "uid": seen.uid() }, "spec": { "suspend": false } });
        let namespace = seen.namespace().unwrap_or_default();
        self.merge("start", &namespace, &seen.name_any(), patch, &self.caches.jobs).await
    }

    /// Deletes a Job with its pods. The Job exists until its last pod is gone: only then has a build ended.
    pub async fn delete_job(&self, seen: &Job) -> Result<(), Error> {
        self.delete(seen, &self.caches.jobs, DeleteParams::foreground()).await
    }

    /// Deletes a ReplicaSet.
    pub async fn delete_set(&self, seen: &ReplicaSet) -> Result<(), Error> {
        self.delete(seen, &self.caches.sets, DeleteParams::background()).await
    }

    /// Deletes a record.
    pub async fn delete_revision(&self, seen: &ControllerRevision) -> Result<(), Error> {
        self.delete(seen, &self.caches.revisions, DeleteParams::background()).await
    }

    /// Writes the whole `status`.
    pub async fn write_status(
        &self,
        seen: &ProjectDeployment,
        status: &ProjectDeploymentStatus,
    ) -> Result<ProjectDeployment, Error> {
        let mut object = seen.clone();
        object.status = Some(status.clone());
        object.metadata.managed_fields = None;
        let api: Api<ProjectDeployment> = self.api(&seen.namespace().unwrap_or_default());
        let sent = api.replace_status(&seen.name_any(), &by_us(), &object).await;
        sent.map_err(|error| {
            Error::sort(&format!("write status of ProjectDeployment {}", seen.name_any()), error)
        })
    }

    pub(super) fn api<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn create<K: Cached>(&self, project: &Project, object: &K, cache: &Cache<K>) -> Result<(), Error> {
        let what = format!("create {} {}", K::kind(&()), object.name_any());
        // What was decided may have waited for an answer since: for a deleted project nothing is created.
        if self.may_be_deleted(project) {
            return Err(Error::Conflict { what });
        }
        match self.post(&project.namespace, object).await {
            Ok(written) => {
                cache.wrote(thin(written));
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 && status.is_already_exists() => {
                if let Some(there) = self.refuse_stranger::<K>(project, &object.name_any(), &what).await? {
                    self.repair_unseen(&there, object.meta(), cache).await?;
                }
                Err(Error::Conflict { what })
            }
            Err(error) => Err(Error::sort(&what, error)),
        }
    }

    /// Creates an object as the client does, but with JSON that the API server would write identically.
    async fn post<K: Kind>(&self, namespace: &str, object: &K) -> Result<K, kube::Error> {
        let body = body(object).map_err(kube::Error::SerdeError)?;
        let request = Request::new(K::url_path(&(), Some(namespace))).create(&by_us(), body);
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        request.extensions_mut().insert("create");
        self.client.request(request).await
    }

    /// A merge patch of an object, if it has not changed since it was observed.
    pub(super) async fn change<K: Cached>(
        &self,
        verb: &str,
        seen: &K,
        mut patch: Value,
        cache: &Cache<K>,
    ) -> Result<(), Error> {
        patch["metadata"]["uid"] = json!(seen.uid());
        patch["metadata"]["resourceVersion"] = json!(seen.resource_version());
        self.merge(verb, &seen.namespace().unwrap_or_default(), &seen.name_any(), patch, cache).await
    }

    /// A merge patch that contains its own guards.
    pub(super) async fn merge<K: Cached>(
        &self,
        verb: &str,
        namespace: &str,
        name: &str,
        patch: Value,
        cache: &Cache<K>,
    ) -> Result<(), Error> {
        let sent = self.api::<K>(namespace).patch(name, &manager(), &Patch::Merge(patch)).await;
        let what = format!("{verb} {} {name}", K::kind(&()));
        cache.wrote(thin(sent.map_err(|error| Error::sort(&what, error))?));
        Ok(())
    }

    /// Server-side apply to the observed child. If no child was observed, it only creates, and never changes an existing
    /// object of that name.
    async fn apply<K: Cached>(
        &self,
        project: &Project,
        seen: Option<&K>,
        mut want: Value,
        cache: &Cache<K>,
    ) -> Result<K, Error> {
        let what = format!("apply {} {}", K::kind(&()), project.name);
        let unseen = seen.is_none().then(|| want["metadata"].clone());
        if let Some(seen) = seen {
            want["metadata"]["uid"] = json!(seen.uid());
            want["metadata"]["resourceVersion"] = json!(seen.resource_version());
        } else if self.may_be_deleted(project) {
            return Err(Error::Conflict { what });
        } else {
            want["metadata"]["resourceVersion"] = json!(NEVER);
        }
        let params = PatchParams::apply(names::MANAGER).force();
        let sent = self.api::<K>(&project.namespace).patch(&project.name, &params, &Patch::Apply(want)).await;
        let written = match sent.map_err(|error| Error::sort(&what, error)) {
            Ok(written) => thin(written),
            Err(error @ Error::Conflict { .. }) => {
                let Some(metadata) = unseen else { return Err(error) };
                // It was created since the cache was read, perhaps by a write of ours whose answer was lost, or it lost the
                // label that watches select by.
                if let Some(there) = self.refuse_stranger::<K>(project, &project.name, &what).await? {
                    let metadata = serde_json::from_value::<ObjectMeta>(metadata);
                    let metadata = metadata.map_err(|error| Error::malformed("metadata", &error))?;
                    self.repair_unseen(&there, &metadata, cache).await?;
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        cache.wrote(written.clone());
        Ok(written)
    }

    /// The object of that name if it is ours, `None` if it does not exist, an error if it belongs to another owner.
    async fn refuse_stranger<K: Kind>(
        &self,
        project: &Project,
        name: &str,
        what: &str,
    ) -> Result<Option<K>, Error> {
        let there = self
            .api::<K>(&project.namespace)
            .get_opt(name)
            .await
            .map_err(|error| Error::sort(what, error))?;
        let Some(there) = there else { return Ok(None) };
        if is_ours(project, &there) {
            return Ok(Some(there));
        }
        let owner = there.owner_references().iter().find(|owner| owner.controller == Some(true));
        let owner = owner.map_or_else(|| "none".to_owned(), |owner| format!("{} {}", owner.kind, owner.name));
        let kind = K::kind(&());
        let plural = K::plural(&());
        Err(Error::name_taken(
            what,
            format!(
                "{kind} {name} already exists and does not belong to this project (owner: {owner}). Give one of the two another name, or delete the {kind}: kubectl delete {plural} {name} -n {}",
                project.namespace
            ),
        ))
    }

    /// Deletes an object, if it is still as it was seen: a Job may have ended since, a ReplicaSet may have got pods.
    async fn delete<K: Cached>(&self, seen: &K, cache: &Cache<K>, way: DeleteParams) -> Result<(), Error> {
        let what = format!("delete {} {}", K::kind(&()), seen.name_any());
        let preconditions = Preconditions { uid: seen.uid(), resource_version: seen.resource_version() };
        let params = DeleteParams { preconditions: Some(preconditions), ..way };
        let sent =
            self.api::<K>(&seen.namespace().unwrap_or_default()).delete(&seen.name_any(), &params).await;
        let told = sent.map(|answer| answer.map_left(Some).left_or_else(|_| None));
        match told {
            Ok(Some(ending)) if ending.meta().deletion_timestamp.is_some() => cache.wrote(thin(ending)),
            Ok(_) => cache.removed(seen),
            Err(kube::Error::Api(status)) if status.code == 404 => cache.removed(seen),
            Err(error) => return Err(Error::sort(&what, error)),
        }
        Ok(())
    }
}

/// A whole object, written by our field manager.
pub(super) fn by_us() -> PostParams {
    PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() }
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() }
}

/// The object as the caches keep it, without managed fields.
pub(super) fn thin<K: Bounded>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    answered(object)
}
