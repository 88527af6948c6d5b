//! One cached object. While its project is active, it is whole. Once it rests, it is compressed JSON, which is much smaller: a
//! typed object has room for every field that Kubernetes knows, and most projects change once a day.

use std::sync::Arc;

use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::{Key, age};
use crate::desired::names;

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
    form: Form<K>,
    /// Nothing has used it since the last call of [`Entry::rest`].
    rests: bool,
}

#[derive(Debug)]
enum Form<K> {
    Whole(Arc<K>),
    Packed(Box<[u8]>),
}

impl<K: Pack> Entry<K> {
    pub(super) fn new(object: Arc<K>) -> Self {
        Self {
            name: object.name_any(),
            uid: object.uid(),
            age: age(&*object),
            node_port: object.node_port(),
            form: Form::Whole(object),
            rests: false,
        }
    }

    /// The object, which stays whole until it has rested. `None` if it cannot be unpacked, which is a defect: then the
    /// operator finds it by its name when it tries to create it again.
    pub(super) fn open(&mut self) -> Option<Arc<K>> {
        self.rests = false;
        if let Form::Packed(bytes) = &self.form {
            self.form = Form::Whole(Arc::new(unpack(bytes, &self.name)?));
        }
        self.peek()
    }

    /// The object, without keeping it whole.
    pub(super) fn peek(&self) -> Option<Arc<K>> {
        match &self.form {
            Form::Whole(object) => Some(object.clone()),
            Form::Packed(bytes) => unpack(bytes, &self.name).map(Arc::new),
        }
    }

    /// Packs it at once.
    pub(super) fn pack(&mut self) {
        let Form::Whole(object) = &self.form else { return };
        if let Some(bytes) = K::PACKS.then(|| packed(&**object)).flatten() {
            self.form = Form::Packed(bytes);
        }
    }

    /// Packs it if nothing has used it since the last call. Returns whether it is still whole and would be packed later.
    pub(super) fn rest(&mut self) -> bool {
        if std::mem::replace(&mut self.rests, true) {
            self.pack();
        }
        K::PACKS && matches!(self.form, Form::Whole(_))
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
        let Form::Packed(bytes) = &entry.form else { panic!("it is whole") };
        assert!(bytes.len() < 700, "{} bytes", bytes.len());
        assert_eq!(entry.peek().as_deref(), Some(&deployment()));
        assert!(!entry.rest(), "a peek does not keep it whole");
        assert_eq!(entry.open().as_deref(), Some(&deployment()));
        assert!(entry.rest(), "it was used again");
        assert_eq!((entry.name.as_str(), entry.uid.as_deref(), entry.age), ("shop", Some("u"), 7));
    }

    #[test]
    fn an_object_that_cannot_be_unpacked_is_missing_and_nothing_panics() {
        let mut entry = Entry::new(Arc::new(deployment()));
        entry.form = Form::Packed(Box::new([9, 0, 0, 0, 1]));
        assert!(entry.open().is_none() && entry.peek().is_none());
    }
}
