//! Who wrote the spec and the requests: the field managers in `metadata.managedFields`. They name programs
//! (kubectl-client-side-apply, helm, kustomize-controller). The API server does not record people there.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

use super::annotations::RequestKind;

/// Longest stored name of a manager, in characters (the API server allows 128 bytes).
const MAX_NAME: usize = 128;

/// The field managers that wrote the spec and the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldManagers {
    /// The manager that changed the spec last.
    pub spec: Option<String>,
    /// The manager that wrote each request.
    pub requests: BTreeMap<RequestKind, String>,
}

/// Reduces managed fields to what [`FieldManagers::read`] needs, because in full they are larger than the object.
pub fn thin(entries: Option<&mut Vec<ManagedFieldsEntry>>) {
    let Some(entries) = entries else { return };
    entries.retain_mut(|entry| {
        let Some(fields) = entry.fields_v1.as_mut() else { return false };
        let spec = fields.0.get("f:spec").map(|_| ("f:spec".to_owned(), json!({})));
        let annotations: Map<String, Value> = RequestKind::ALL
            .into_iter()
            .filter(|verb| owns(&fields.0, *verb))
            .map(|verb| (field(verb), json!({})))
            .collect();
        let metadata = (!annotations.is_empty())
            .then(|| ("f:metadata".to_owned(), json!({ "f:annotations": annotations })));
        let kept: Map<String, Value> = spec.into_iter().chain(metadata).collect();
        let speaks = !kept.is_empty() && entry.subresource.is_none();
        *fields = FieldsV1(Value::Object(kept));
        speaks
    });
}

/// The manager other than `us` that wrote the field at `path` last. Controllers of Kubernetes that write a subresource do not
/// count.
#[must_use]
pub fn last_writer(entries: Option<&Vec<ManagedFieldsEntry>>, path: &[String], us: &str) -> Option<String> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.subresource.is_none()
            && fields
                .is_some_and(|fields| path.iter().try_fold(fields, |fields, step| fields.get(step)).is_some())
            && entry.manager.as_deref() != Some(us)
    };
    let newest =
        entries.into_iter().flatten().filter(owns).max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    newest?.manager.as_deref().map(printable)
}

fn printable(manager: &str) -> String {
    manager.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

impl FieldManagers {
    /// Reads managed fields. If two managers own a field, the later one counts.
    #[must_use]
    pub fn read(entries: Option<&Vec<ManagedFieldsEntry>>) -> Self {
        let mut entries: Vec<&ManagedFieldsEntry> = entries.into_iter().flatten().collect();
        entries.retain(|entry| entry.subresource.is_none());
        entries.sort_by_key(|entry| entry.time.as_ref().map(|time| time.0));
        let mut field_managers = Self::default();
        for entry in entries {
            let (Some(fields), Some(manager)) = (&entry.fields_v1, &entry.manager) else { continue };
            let manager = printable(manager);
            for verb in RequestKind::ALL.into_iter().filter(|verb| owns(&fields.0, *verb)) {
                field_managers.requests.insert(verb, manager.clone());
            }
            if fields.0.get("f:spec").is_some() {
                field_managers.spec = Some(manager);
            }
        }
        field_managers
    }
}

fn field(verb: RequestKind) -> String {
    format!("f:{}", verb.annotation())
}

fn owns(fields: &Value, verb: RequestKind) -> bool {
    fields["f:metadata"]["f:annotations"].get(field(verb)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, second: i64, fields: &Value) -> ManagedFieldsEntry {
        let time = jiff::Timestamp::from_second(second).unwrap().to_string();
        serde_json::from_value(json!({ "manager": manager, "time": time, "fieldsV1": fields })).unwrap()
    }

    #[test]
    fn the_last_writer_of_a_field_is_found_among_the_others() {
        let label = |key: &str| json!({ "f:metadata": { "f:labels": { format!("f:{key}"): {} } } });
        let mut status = entry("kube-controller-manager", 50, &label("a.b/c"));
        status.subresource = Some("status".to_owned());
        let entries = vec![
            entry("helm", 10, &label("a.b/c")),
            entry("police", 20, &label("a.b/c")),
            entry("kubectl-label", 30, &label("a.b/d")),
            entry("us", 40, &label("a.b/c")),
            status,
        ];
        let path = |key: &str| ["f:metadata", "f:labels", key].map(str::to_owned);
        let writer = |key: &str| last_writer(Some(&entries), &path(key), "us");
        assert_eq!(writer("f:a.b/c").as_deref(), Some("police"));
        assert_eq!(writer("f:a.b/e"), None, "it was removed");
        assert_eq!(last_writer(None, &path("f:a.b/c"), "us"), None);
    }

    #[test]
    fn the_last_manager_of_a_field_is_its_author_even_after_pruning() {
        let annotations =
            json!({ "f:metadata": { "f:annotations": { "f:doce.dev/rollback": {}, "f:note": {} } } });
        let helm = json!({ "f:spec": { "f:source": { "f:git": {} } }, "f:metadata": { "f:labels": {} } });
        let mut entries = vec![
            entry("kubectl-edit", 20, &json!({ "f:spec": { "f:replicas": {} } })),
            entry("helm", 10, &helm),
            entry("kubectl-annotate", 30, &annotations),
            entry("labeller", 40, &json!({ "f:metadata": { "f:labels": { "f:team": {} } } })),
        ];
        let mut status = entry("doce-operator", 50, &json!({ "f:spec": {} }));
        status.subresource = Some("status".to_owned());
        entries.push(status);
        let field_managers = FieldManagers::read(Some(&entries));
        assert_eq!(field_managers.spec.as_deref(), Some("kubectl-edit"));
        assert_eq!(
            field_managers.requests,
            BTreeMap::from([(RequestKind::Rollback, "kubectl-annotate".to_owned())])
        );
        thin(Some(&mut entries));
        assert_eq!(FieldManagers::read(Some(&entries)), field_managers);
        assert_eq!(entries.len(), 3, "a manager that owns neither spec nor requests is dropped");
        assert_eq!(entries[1].fields_v1, Some(FieldsV1(json!({ "f:spec": {} }))));
    }
}
