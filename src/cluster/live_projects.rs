//! The existing projects, by uid. The operator does not touch children of a deleted project: Kubernetes deletes them
//! too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use crate::crd::ProjectDeployment;

/// The projects that the watch reported and that are not being deleted.
#[derive(Debug, Default)]
pub struct LiveProjects {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The namespace of each, by uid.
    namespaces: HashMap<String, String>,
    /// Projects of a list in progress.
    listed: Option<HashMap<String, String>>,
}

impl LiveProjects {
    /// Applies a watch event. Returns whether it completed a list.
    pub fn heard(&self, event: &Event<ProjectDeployment>) -> bool {
        let mut inner = self.lock();
        match event {
            Event::Init => inner.listed = Some(HashMap::new()),
            Event::InitApply(object) => {
                if let Some(listed) = inner.listed.as_mut() {
                    listed.extend(alive(object));
                }
            }
            Event::InitDone => inner.namespaces = inner.listed.take().unwrap_or_default(),
            Event::Apply(object) => match alive(object) {
                Some((uid, namespace)) => {
                    inner.namespaces.insert(uid, namespace);
                }
                None => {
                    inner.namespaces.remove(&object.uid().unwrap_or_default());
                }
            },
            Event::Delete(object) => {
                inner.namespaces.remove(&object.uid().unwrap_or_default());
            }
        }
        matches!(event, Event::InitDone)
    }

    /// Removes a project that a read did not find, before the watch reports it.
    pub fn gone(&self, uid: &str) {
        self.lock().namespaces.remove(uid);
    }

    /// How many projects it holds.
    pub fn held(&self) -> usize {
        self.lock().namespaces.len()
    }

    /// Whether a project with that uid exists.
    pub fn has(&self, uid: &str) -> bool {
        self.lock().namespaces.contains_key(uid)
    }

    /// Whether a project with that uid exists in this namespace.
    pub fn has_in(&self, namespace: &str, uid: &str) -> bool {
        self.lock().namespaces.get(uid).is_some_and(|there| there == namespace)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its uid and namespace, if it is not being deleted.
fn alive(object: &ProjectDeployment) -> Option<(String, String)> {
    let uid = object.uid().filter(|_| object.metadata.deletion_timestamp.is_none())?;
    Some((uid, object.namespace().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn project(namespace: &str, uid: &str, deleted: bool) -> ProjectDeployment {
        let deleted = deleted.then_some("2026-01-01T00:00:00Z");
        let metadata =
            json!({ "name": "shop", "namespace": namespace, "uid": uid, "deletionTimestamp": deleted });
        let spec = json!({ "source": { "configMap": { "name": "site" } } });
        serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": metadata, "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn a_project_exists_in_its_namespace_until_it_is_being_deleted() {
        let living = LiveProjects::default();
        living.heard(&Event::Init);
        living.heard(&Event::InitApply(project("n", "u", false)));
        living.heard(&Event::InitApply(project("n", "going", true)));
        assert!(!living.has("u"), "the list is not complete");
        assert!(living.heard(&Event::InitDone));
        living.heard(&Event::Apply(project("m", "v", false)));
        let there = |namespace, uid| living.has(uid) && living.has_in(namespace, uid);
        assert!(there("n", "u") && there("m", "v"));
        assert!(!there("m", "u") && !there("n", "v") && !there("n", "going"));
        living.heard(&Event::Apply(project("n", "u", true)));
        living.heard(&Event::Delete(project("m", "v", false)));
        assert!(!there("n", "u") && !there("m", "v"));
    }
}
