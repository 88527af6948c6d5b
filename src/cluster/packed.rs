//! One cached object. While its project is active, it is whole. Once it rests, it is compressed JSON, which is much smaller: a
//! typed object has room for every field that Kubernetes knows, and most projects change once a day. What was compressed once
//! stays so beside the whole object: if nothing changed, to rest again costs nothing.

use std::sync::Arc;

use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::age;
use crate::desired::names;
use crate::project::Key;

/// A kind that can be packed.
pub trait Pack: Resource<DynamicType = ()> + Serialize + DeserializeOwned {
    /// Objects that rest are packed. Not worth it for kinds that are short-lived or read as a whole.
    const PACKS: bool = true;

    /// Only passes write such objects, and a pass looks again after each of its writes: the event of the write is no news.
    const ONLY_PASSES_WRITE: bool = true;

    /// The operator misses such an object if someone else deletes it.
    const IS_CHILD: bool = true;

    /// Namespace and name of its project.
    fn project(&self) -> Option<Key> {
        let project = self.labels().get(names::PROJECT)?;
        Some((self.namespace()?, project.clone()))
    }

    /// The node port of a Service, which is looked up without unpacking it.
    fn node_port(&self) -> Option<u16> {
        None
    }

    /// The status is behind the spec, or work is in progress. Only the order of a start depends on it.
    fn has_work(&self) -> bool {
        false
    }
}

/// An object of the cache.
#[derive(Debug)]
pub(super) struct Entry<K> {
    pub(super) name: String,
    pub(super) uid: Option<String>,
    /// See [`age`].
    pub(super) age: u64,
    /// See [`Pack::node_port`].
    pub(super) node_port: Option<u16>,
    /// See [`Pack::has_work`].
    pub(super) has_work: bool,
    whole: Option<Arc<K>>,
    /// At least one of `whole` and `packed` is there.
    packed: Option<Box<[u8]>>,
    /// Nothing has used it since the last call of [`Entry::rest`].
    rests: bool,
}

impl<K: Pack> Entry<K> {
    pub(super) fn new(object: Arc<K>) -> Self {
        Self {
            name: object.name_any(),
            uid: object.uid(),
            age: age(&*object),
            node_port: object.node_port(),
            has_work: object.has_work(),
            whole: Some(object),
            packed: None,
            rests: false,
        }
    }

    /// The object, which stays whole until it has rested. `None` if it cannot be unpacked, which is a defect: then the
    /// operator finds it by its name when it tries to create it again.
    pub(super) fn open(&mut self) -> Option<Arc<K>> {
        self.rests = false;
        self.whole = self.peek();
        self.whole.clone()
    }

    /// The object, without keeping it whole.
    pub(super) fn peek(&self) -> Option<Arc<K>> {
        let unpacked = || unpack(self.packed.as_ref()?, &self.name).map(Arc::new);
        self.whole.clone().or_else(unpacked)
    }

    /// Packs it at once.
    pub(super) fn pack(&mut self) {
        if K::PACKS && self.packed.is_none() {
            self.packed = self.whole.as_deref().and_then(packed);
        }
        self.close();
    }

    /// Packs it if it was packed before.
    pub(super) fn close(&mut self) {
        if self.packed.is_some() {
            self.whole = None;
        }
    }

    #[cfg(test)]
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// It changed since it was packed last.
    pub(super) fn is_fresh(&self) -> bool {
        K::PACKS && self.packed.is_none()
    }

    /// Packs it if nothing has used it since the last call. Returns whether it is still whole and would be packed later.
    pub(super) fn rest(&mut self) -> bool {
        if std::mem::replace(&mut self.rests, true) {
            self.pack();
        }
        K::PACKS && self.whole.is_some()
    }
}

fn packed<K: Serialize>(object: &K) -> Option<Box<[u8]>> {
    let json = serde_json::to_vec(object).ok()?;
    Some(lz4_flex::compress_prepend_size(&json).into_boxed_slice())
}

fn unpack<K: Pack>(bytes: &[u8], name: &str) -> Option<K> {
    let json = lz4_flex::decompress_size_prepended(bytes).map_err(|error| error.to_string());
    let object = json.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
    object
        .inspect_err(
            |error| tracing::error!(kind = %K::kind(&()), name, error, "cannot unpack a cached object"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn deployment() -> Deployment {
        let template = json!({
            "metadata": { "labels": { "app": "shop" }, "annotations": { "doce.dev/version": "v1" } },
            "spec": { "containers": [{
                "name": "app", "image": "registry.test/shop@sha256:1", "ports": [{ "containerPort": 3000, "name": "http" }],
                "readinessProbe": { "httpGet": { "path": "/", "port": "http" }, "periodSeconds": 5 },
                "resources": { "requests": { "cpu": "100m", "memory": "64Mi" } },
            }]},
        });
        serde_json::from_value(json!({
            "metadata": { "name": "shop", "namespace": "n", "uid": "u", "resourceVersion": "7" },
            "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "shop" } }, "template": template },
            "status": { "availableReplicas": 1, "conditions": [{ "type": "Available", "status": "True",
                "lastUpdateTime": "2026-01-02T03:04:05Z" }] },
        }))
        .unwrap()
    }

    #[test]
    fn an_object_that_rests_is_packed_and_comes_back_equal() {
        let mut entry = Entry::new(Arc::new(deployment()));
        assert!(entry.rest(), "it was just used");
        assert!(!entry.rest(), "nothing has used it since");
        assert!(entry.whole.is_none());
        let bytes = entry.packed.as_ref().map_or(0, |bytes| bytes.len());
        assert!((1..700).contains(&bytes), "{bytes} bytes");
        assert_eq!(entry.peek().as_deref(), Some(&deployment()));
        assert!(!entry.rest(), "a peek does not keep it whole");
        assert_eq!(entry.open().as_deref(), Some(&deployment()));
        assert!(entry.whole.is_some() && !entry.is_fresh());
        entry.close();
        assert!(entry.whole.is_none(), "what was packed before needs no rest");
        assert_eq!(entry.open().as_deref(), Some(&deployment()));
        assert!(entry.rest(), "it was used again");
        assert_eq!((entry.name.as_str(), entry.uid.as_deref(), entry.age), ("shop", Some("u"), 7));
    }

    #[test]
    fn an_object_that_cannot_be_unpacked_is_missing_and_nothing_panics() {
        let mut entry = Entry::new(Arc::new(deployment()));
        entry.whole = None;
        entry.packed = Some(Box::new([9, 0, 0, 0, 1]));
        assert!(entry.open().is_none() && entry.peek().is_none());
    }
}
