//! Labels and owner of children that somebody took them from. Only objects that are already known to be ours come here.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde_json::json;

use super::writes::Kind;
use super::{Cache, Cluster, Error};
use crate::cluster::preconditions::Preconditions;
use crate::desired::names;
use crate::project::Project;

impl Cluster {
    /// Gives labels and owner back to the ledger or a record.
    pub async fn mark_revision(&self, seen: &ControllerRevision, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.revisions).await
    }

    /// Takes over the ledger that a project of this name left behind, if it is still as it was `at` the look that decided so.
    pub async fn inherit_ledger(
        &self,
        project: &Project,
        at: &Preconditions,
        owned: &ObjectMeta,
        text: &str,
    ) -> Result<(), Error> {
        let patch = json!({ "metadata": {
            "uid": at.uid, "resourceVersion": at.resource_version, "annotations": { names::LEDGER: text },
            "labels": owned.labels, "ownerReferences": owned.owner_references,
        }});
        self.merge("take over the ledger", &project.namespace, &project.name, patch, &self.caches.revisions)
            .await
    }

    /// Gives labels and owner back to the Deployment.
    pub async fn mark_deployment(&self, seen: &Deployment, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.deployments).await
    }

    /// Gives labels and owner back to a build Job.
    pub async fn mark_job(&self, seen: &Job, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.jobs).await
    }

    /// A child of ours that no watch told of has lost the label that watches go by; or the watch is behind.
    pub(super) async fn mark_unseen<K: Kind>(
        &self,
        there: &K,
        want: &ObjectMeta,
        cache: &Cache<K>,
    ) -> Result<(), Error> {
        let watched = want.labels.iter().flatten().all(|(key, value)| there.labels().get(key) == Some(value));
        if watched || there.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        self.mark(there, want, cache).await
    }

    async fn mark<K: Kind>(&self, seen: &K, want: &ObjectMeta, cache: &Cache<K>) -> Result<(), Error> {
        let ours = want.owner_references.iter().flatten();
        let others =
            seen.owner_references().iter().filter(|owner| ours.clone().all(|ours| ours.uid != owner.uid));
        let owners: Vec<_> = others.chain(ours.clone()).collect();
        let patch = json!({ "metadata": { "labels": want.labels, "ownerReferences": owners } });
        self.change("give labels and owner back to", seen, patch, cache).await
    }
}
