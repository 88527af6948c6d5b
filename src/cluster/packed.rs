//! One cached object. While its project is active, it is whole. Once it rests, it is compressed JSON, which is much smaller: a
//! typed object has room for every field that Kubernetes knows, and most projects change once a day. What was compressed once
//! stays so beside the whole object: if nothing changed, to rest again costs nothing.

use std::sync::{Arc, OnceLock};

use kube::{Resource, ResourceExt as _};
use lz4_flex::block;
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
    pub(super) fn open(&mut self, sample: &Sample) -> Option<Arc<K>> {
        self.rests = false;
        self.whole = self.peek(sample);
        self.whole.clone()
    }

    /// The object, without keeping it whole.
    pub(super) fn peek(&self, sample: &Sample) -> Option<Arc<K>> {
        let unpacked = || sample.unpack(self.packed.as_ref()?, &self.name).map(Arc::new);
        self.whole.clone().or_else(unpacked)
    }

    /// Packs it at once.
    pub(super) fn pack(&mut self, sample: &Sample) {
        if K::PACKS && self.packed.is_none() {
            self.packed = self.whole.as_deref().and_then(|object| sample.pack(object));
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
    pub(super) fn rest(&mut self, sample: &Sample) -> bool {
        if std::mem::replace(&mut self.rests, true) {
            self.pack(sample);
        }
        K::PACKS && self.whole.is_some()
    }
}

/// The first object of a kind that was packed. All others of the kind are compressed against it: most of their text is the same.
/// It never changes, because what was compressed against it needs it.
#[derive(Debug, Default)]
pub(super) struct Sample(OnceLock<Box<[u8]>>);

/// Most bytes of a sample. The compression looks no further back.
const SAMPLE: usize = 64 << 10;

impl Sample {
    fn pack<K: Serialize>(&self, object: &K) -> Option<Box<[u8]>> {
        let json = serde_json::to_vec(object).ok()?;
        let sample = self.0.get_or_init(|| json[..json.len().min(SAMPLE)].into());
        Some(block::compress_prepend_size_with_dict(&json, sample).into_boxed_slice())
    }

    fn unpack<K: Pack>(&self, bytes: &[u8], name: &str) -> Option<K> {
        let sample = self.0.get().map_or(&[][..], |sample| sample);
        let json =
            block::decompress_size_prepended_with_dict(bytes, sample).map_err(|error| error.to_string());
        let object = json.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
        object
            .inspect_err(
                |error| tracing::error!(kind = %K::kind(&()), name, error, "cannot unpack a cached object"),
            )
            .ok()
    }
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
        let sample = Sample::default();
        let mut entry = Entry::new(Arc::new(deployment()));
        assert!(entry.rest(&sample), "it was just used");
        assert!(!entry.rest(&sample), "nothing has used it since");
        assert!(entry.whole.is_none());
        assert_eq!(entry.peek(&sample).as_deref(), Some(&deployment()));
        assert!(!entry.rest(&sample), "a peek does not keep it whole");
        assert_eq!(entry.open(&sample).as_deref(), Some(&deployment()));
        assert!(entry.whole.is_some() && !entry.is_fresh());
        entry.close();
        assert!(entry.whole.is_none(), "what was packed before needs no rest");
        assert_eq!(entry.open(&sample).as_deref(), Some(&deployment()));
        assert!(entry.rest(&sample), "it was used again");
        assert_eq!((entry.name.as_str(), entry.uid.as_deref(), entry.age), ("shop", Some("u"), 7));
    }

    #[test]
    fn the_second_object_of_a_kind_takes_little_more_than_its_differences() {
        let sample = Sample::default();
        let mut other = deployment();
        other.metadata.name = Some("another".to_owned());
        other.metadata.uid = Some("11c6a5ab-b2a5-4c1f-9a5b-4c5d0a3f7c2d".to_owned());
        let packed = [deployment(), other.clone()].map(|object| {
            let mut entry = Entry::new(Arc::new(object));
            entry.pack(&sample);
            entry
        });
        let bytes = packed[1].packed.as_ref().map_or(0, |bytes| bytes.len());
        let json = serde_json::to_vec(&other).unwrap().len();
        assert!((1..json / 4).contains(&bytes), "{bytes} of {json} bytes");
        assert_eq!(packed[0].peek(&sample).as_deref(), Some(&deployment()));
        assert_eq!(packed[1].peek(&sample).as_deref(), Some(&other));
    }

    #[test]
    fn an_object_larger_than_a_sample_is_packed_too() {
        let sample = Sample::default();
        let mut large = deployment();
        let text: String =
            (0..SAMPLE).map(|at| char::from(b'a' + u8::try_from(at * at % 23).unwrap())).collect();
        large.metadata.annotations = Some([("text".to_owned(), text.repeat(3))].into());
        let mut entry = Entry::new(Arc::new(large.clone()));
        entry.pack(&sample);
        assert_eq!(entry.peek(&sample).as_deref(), Some(&large));
        let mut small = Entry::new(Arc::new(deployment()));
        small.pack(&sample);
        assert_eq!(small.peek(&sample).as_deref(), Some(&deployment()));
    }

    #[test]
    fn an_object_that_cannot_be_unpacked_is_missing_and_nothing_panics() {
        let sample = Sample::default();
        let mut entry = Entry::new(Arc::new(deployment()));
        entry.pack(&sample);
        entry.packed = Some(Box::new([9, 0, 0, 0, 1]));
        assert!(entry.open(&sample).is_none() && entry.peek(&sample).is_none());
    }
}
