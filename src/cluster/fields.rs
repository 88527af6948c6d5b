//! Removes fields that another field manager set. A server-side apply removes only fields that its own manager alone
//! owns, so such a field is first recorded as ours. That changes nothing but `metadata.managedFields`.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Map, Value, json};

use super::{Cluster, Error};
use crate::desired::names;

/// Path of the annotation of `kubectl rollout restart` in the managed fields of a Deployment.
const RESTARTED: [&str; 5] =
    ["f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"];

impl Cluster {
    /// Records the annotation of `kubectl rollout restart` as ours, so that the next apply can remove it. Returns the
    /// changed Deployment. Changes no pod.
    pub async fn take_over_restart(&self, seen: &Deployment) -> Result<Deployment, Error> {
        let (name, what) = (seen.name_any(), format!("read Deployment {}", seen.name_any()));
        let api: Api<Deployment> = self.api(&seen.namespace().unwrap_or_default());
        // The caches store no managed fields.
        let there = api.get(&name).await.map_err(|error| Error::sort(&what, error))?;
        if there.uid() != seen.uid() || there.resource_version() != seen.resource_version() {
            return Err(Error::Conflict { what });
        }
        let fields = taken_over(there.managed_fields(), &RESTARTED);
        let patch = json!({ "metadata": {
            "uid": there.uid(), "resourceVersion": there.resource_version(), "managedFields": fields,
        }});
        let params = PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("take over a field of Deployment {name}");
        let sent = api.patch(&name, &params, &Patch::Merge(patch)).await;
        let mut written = sent.map_err(|error| Error::sort(&what, error))?;
        written.managed_fields_mut().clear();
        self.caches().deployments.wrote(written.clone());
        Ok(written)
    }
}

/// The managed fields with the field at `path` owned by us alone.
fn taken_over(entries: &[ManagedFieldsEntry], path: &[&str]) -> Vec<ManagedFieldsEntry> {
    let mut entries = entries.to_vec();
    entries.retain_mut(|entry| {
        let Some(fields) = entry.fields_v1.as_mut() else { return true };
        let is_ours = entry.manager.as_deref() == Some(names::MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none();
        if is_ours {
            add(&mut fields.0, path);
            return true;
        }
        remove(&mut fields.0, path);
        fields.0.as_object().is_none_or(|fields| !fields.is_empty())
    });
    entries
}

fn add(fields: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else { return };
    if !fields.is_object() {
        *fields = Value::Object(Map::new());
    }
    if let Some(fields) = fields.as_object_mut() {
        add(fields.entry((*first).to_owned()).or_insert_with(|| json!({})), rest);
    }
}

/// Removes the field, and parents that become empty.
fn remove(fields: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(fields) = fields.as_object_mut() else { return };
    let Some(below) = fields.get_mut(*first) else { return };
    remove(below, rest);
    let empty = below.as_object().is_none_or(|below| below.keys().all(|key| key == "."));
    if rest.is_empty() || empty {
        fields.remove(*first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some(operation.to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn a_field_taken_over_is_owned_only_by_the_operator_and_the_rest_stays() {
        let annotations =
            |of: Value| json!({ "f:spec": { "f:template": { "f:metadata": { "f:annotations": of } } } });
        let restarted = "f:kubectl.kubernetes.io/restartedAt";
        let entries = [
            entry(names::MANAGER, "Apply", annotations(json!({ "f:doce.dev/version": {} }))),
            entry("kubectl-rollout", "Update", annotations(json!({ ".": {}, restarted: {} }))),
            entry("mesh", "Update", annotations(json!({ "f:mesh": {}, restarted: {} }))),
            entry("kube-controller-manager", "Update", json!({ "f:status": {} })),
        ];
        let taken = taken_over(&entries, &RESTARTED);
        let fields: Vec<_> = taken
            .iter()
            .map(|entry| (entry.manager.clone().unwrap(), entry.fields_v1.clone().unwrap().0))
            .collect();
        assert_eq!(
            fields,
            [
                (names::MANAGER.to_owned(), annotations(json!({ "f:doce.dev/version": {}, restarted: {} }))),
                ("mesh".to_owned(), annotations(json!({ "f:mesh": {} }))),
                ("kube-controller-manager".to_owned(), json!({ "f:status": {} })),
            ]
        );
    }
}
