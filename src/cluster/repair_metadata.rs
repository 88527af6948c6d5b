//! Restores labels and owner of children, and finds out who strips them again and again. Only for objects that are known to be
//! ours.

use std::fmt;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt as _};
use serde_json::json;

use super::repairs::Contest;
use super::writes::{Cached, Kind, thin};
use super::{Cache, Cluster, Error};
use crate::crd::field_managers::last_writer;
use crate::desired::names;
use crate::project::Key;

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

    /// Restores labels and owner of the Service.
    pub async fn repair_service(&self, seen: &Service, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.services).await
    }

    /// Restores labels and owner of the NetworkPolicy.
    pub async fn repair_network_policy(&self, seen: &NetworkPolicy, want: &ObjectMeta) -> Result<(), Error> {
        self.mark(seen, want, &self.caches.network_policies).await
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
        let object = (K::kind(&()).into_owned(), there.name_any());
        let contests = self.caches.repairs.contests(&project_of(there, want));
        if let Some(contest) = contests.iter().find(|contest| contest.waits && contest.object == object) {
            return Err(Error::altered(
                &format!("restore labels and owner of {} {}", object.0, object.1),
                said(contest),
            ));
        }
        self.mark(there, want, cache).await
    }

    async fn mark<K: Cached>(&self, seen: &K, want: &ObjectMeta, cache: &Cache<K>) -> Result<(), Error> {
        let (project, object) = (project_of(seen, want), (K::kind(&()).into_owned(), seen.name_any()));
        let lost = Lost::of(seen, want);
        let suspect = self.caches.repairs.is_suspect(&project, &object);
        let by = if suspect { self.writer_of(seen, &lost).await } else { None };
        let ours = want.owner_references.iter().flatten();
        let others =
            seen.owner_references().iter().filter(|owner| ours.clone().all(|ours| ours.uid != owner.uid));
        let owners: Vec<_> = others.chain(ours.clone()).collect();
        let patch = json!({ "metadata": { "labels": want.labels, "ownerReferences": owners } });
        self.change("restore labels and owner of", seen, patch, cache).await?;
        self.caches.repairs.note(project, object, lost.to_string(), by);
        Ok(())
    }

    /// The field manager that owns what was lost. Without one, it was removed: the API server does not record by whom.
    async fn writer_of<K: Kind>(&self, seen: &K, lost: &Lost) -> Option<String> {
        let api = self.api::<K>(&seen.namespace().unwrap_or_default());
        let there = api.get_metadata_opt(&seen.name_any()).await.ok().flatten()?;
        last_writer(there.metadata.managed_fields.as_ref(), &lost.path(), names::MANAGER)
    }
}

/// The contest as text for people.
#[must_use]
pub fn said(contest: &Contest) -> String {
    let Contest { object: (kind, name), field, by, .. } = contest;
    let by = by.as_deref().unwrap_or("An admission policy, a webhook or another controller");
    format!(
        "{by} changes or removes {field} of {kind} {name} after every repair. Exclude objects with the label {} from it. Retrying \
         with backoff",
        names::PROJECT
    )
}

/// What a child lost: the first of our labels, or its owner.
enum Lost {
    Label(String),
    Owner,
}

impl Lost {
    fn of<K: Resource>(seen: &K, want: &ObjectMeta) -> Self {
        let mut labels = want.labels.iter().flatten();
        let lost = labels.find(|(key, value)| seen.labels().get(*key) != Some(value));
        lost.map_or(Self::Owner, |(key, _)| Self::Label(key.clone()))
    }

    /// Its path in managed fields.
    fn path(&self) -> Vec<String> {
        match self {
            Self::Label(key) => vec!["f:metadata".to_owned(), "f:labels".to_owned(), format!("f:{key}")],
            Self::Owner => vec!["f:metadata".to_owned(), "f:ownerReferences".to_owned()],
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(out, "label {key}"),
            Self::Owner => out.write_str("the owner"),
        }
    }
}

/// The project of a child, even if it lost the label that says so.
fn project_of<K: Resource>(seen: &K, want: &ObjectMeta) -> Key {
    let project = want.labels.as_ref().and_then(|labels| labels.get(names::PROJECT).cloned());
    (seen.namespace().unwrap_or_default(), project.unwrap_or_default())
}
