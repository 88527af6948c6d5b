//! Restores labels and owner of children. Only for objects that are known to be ours.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde_json::json;

use super::writes::{Cached, thin};
use super::{Cache, Cluster, Error};
use crate::desired::names;

impl Cluster {
    /// Restores labels and owner of the ledger or a record.
    pub async fn repair_revision(&self, seen: &ControllerRevision, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.revisions).await
    }

    /// Takes over the ledger that a deleted project of this name left behind, if it is still as it was observed.
    pub async fn adopt_ledger(
        &self,
        seen: &ControllerRevision,
        owned: &ObjectMeta,
        text: &str,
    ) -> Result<(), Error> {
        let patch = json!({ "metadata": {
            "annotations": { names::LEDGER: text },
            "labels": owned.labels, "ownerReferences": owned.owner_references,
        }});
        self.change("take over the ledger", seen, patch, &self.caches.revisions).await
    }

    /// Restores labels and owner of the Deployment.
    pub async fn repair_deployment(&self, seen: &Deployment, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.deployments).await
    }

    /// Restores labels and owner of a Job.
    pub async fn repair_job(&self, seen: &Job, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.jobs).await
    }

    /// Notes a child of ours that no watch reported, and restores its labels and owner: it lost the label of the watch,
    /// or the watch lags behind. The next pass knows it.
    pub(super) async fn repair_unseen<K: Cached>(
        &self,
        there: &K,
        want: &ObjectMeta,
        cache: &Cache<K>,
    ) -> Result<(), Error> {
        cache.wrote(thin(there.clone()));
        let watched = want.labels.iter().flatten().all(|(key, value)| there.labels().get(key) == Some(value));
        if watched || there.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        self.mark(there, want, cache).await
    }

    async fn mark<K: Cached>(&self, seen: &K, want: &ObjectMeta, cache: &Cache<K>) -> Result<(), Error> {
        let ours = want.owner_references.iter().flatten();
        let others =
            seen.owner_references().iter().filter(|owner| ours.clone().all(|ours| ours.uid != owner.uid));
        let owners: Vec<_> = others.chain(ours.clone()).collect();
        let patch = json!({ "metadata": { "labels": want.labels, "ownerReferences": owners } });
        self.change("restore labels and owner of", seen, patch, cache).await
    }
}
