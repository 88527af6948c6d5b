//! Labels, selectors and owner references.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt as _};
use serde_json::Value;

use super::names;
use crate::project::Project;

/// Metadata of a child.
#[must_use]
pub fn child(project: &Project, name: &str, role: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(project.namespace.clone()),
        labels: Some(labels(project, role)),
        owner_references: Some(vec![project.owner()]),
        ..ObjectMeta::default()
    }
}

/// Metadata of a child that people and policies read: with the metadata copied from the project and `more` labels. Our
/// labels win.
pub fn dressed(project: &Project, name: &str, role: &str, more: BTreeMap<String, String>) -> ObjectMeta {
    let mut metadata = child(project, name, role);
    let copied = &project.copied;
    let mut labels = more;
    labels.extend(copied.labels.clone());
    labels.extend(metadata.labels.take().unwrap_or_default());
    let mut annotations = copied.annotations.clone();
    let keys: Vec<&str> = copied.labels.keys().chain(copied.annotations.keys()).map(String::as_str).collect();
    if !keys.is_empty() {
        annotations.insert(names::COPIED.to_owned(), keys.join(" "));
    }
    metadata.labels = Some(labels);
    metadata.annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
    metadata
}

/// Whether the keys copied to a child are those that would be copied now. A key removed from the project is not part of
/// the desired shape, and still must be removed.
pub fn same_copied<K: Resource>(project: &Project, object: &K) -> bool {
    let want = dressed(project, "", "", BTreeMap::new()).annotations.unwrap_or_default();
    object.annotations().get(names::COPIED) == want.get(names::COPIED)
}

/// Labels of a child.
#[must_use]
pub fn labels(project: &Project, role: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("app.kubernetes.io/name", project.name.as_str()),
        (names::MANAGED_BY, names::MANAGER),
        (names::PROJECT, &project.name),
        (names::UID, &project.uid),
        (names::ROLE, role),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Whether labels and owner are as they should be. Others may exist besides them.
pub fn has_metadata<K: Resource>(project: &Project, object: &K, role: &str) -> bool {
    let owned = object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.uid == project.uid);
    owned && labels(project, role).iter().all(|(key, value)| object.labels().get(key) == Some(value))
}

/// The shape of a child without the labels and the owner that [`has_metadata`] compares: they are restored on their own.
#[must_use]
pub fn without_marks(project: &Project, mut want: Value) -> Value {
    if let Some(metadata) = want.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("ownerReferences");
        if let Some(there) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            there.retain(|key, _| !labels(project, "").contains_key(key));
        }
    }
    want
}

/// Selector of the app's pods. It is immutable, so it contains no version.
#[must_use]
pub fn selector(project: &str) -> BTreeMap<String, String> {
    [(names::PROJECT, project), (names::ROLE, names::ROLE_APP)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The selector as text, for the scale subresource.
#[must_use]
pub fn selector_text(project: &str) -> String {
    selector(project).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
