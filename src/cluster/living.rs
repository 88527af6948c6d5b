//! Which projects there are, by uid: children of a project that is gone are about to go too and are not touched.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use crate::crd::ProjectDeployment;

/// The projects that the watch has told of and that are not being deleted.
#[derive(Debug, Default)]
pub struct Living {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The namespace of each, by uid.
    namespaces: HashMap<String, String>,
    /// What a list under way has told so far.
    listed: Option<HashMap<String, String>>,
}

impl Living {
    /// Takes in what the watch tells; whether a list has just been completed.
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

    /// Takes in that a read did not find it, before the watch tells.
    pub fn gone(&self, uid: &str) {
        self.lock().namespaces.remove(uid);
    }

    /// Whether there is a project of that uid.
    #[must_use]
    pub fn has(&self, uid: &str) -> bool {
        self.lock().namespaces.contains_key(uid)
    }

    /// Whether there is a project of that uid in this namespace.
    #[must_use]
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
    fn a_project_lives_in_its_own_namespace_until_it_is_being_deleted() {
        let living = Living::default();
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
