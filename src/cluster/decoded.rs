//! Children as watches receive them, decoded without what no cache keeps: managed fields, which are often larger than the
//! object, and the spec of pods. What is not decoded costs no allocations.

use std::fmt;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use std::borrow::Cow;

use super::bounded::{Bounded, bounded};

/// A kind of which some fields are not decoded.
pub(super) trait Trimmed: Bounded {
    /// Fields of the object that are left out.
    const LEFT_OUT: &[&str] = &[];
}

impl Trimmed for ControllerRevision {}
impl Trimmed for Deployment {}
impl Trimmed for ReplicaSet {}
impl Trimmed for Service {}
impl Trimmed for NetworkPolicy {}
impl Trimmed for Job {}
impl Trimmed for Event {}
impl Trimmed for Pod {
    const LEFT_OUT: &[&str] = &["spec"]; // Only their state matters.
}

/// An object without [`Trimmed::LEFT_OUT`] and without managed fields.
#[derive(Clone, Debug)]
pub(super) struct Decoded<K>(K);

/// The event, with what the caches keep of the object.
pub(super) fn plain<K: Bounded>(event: watcher::Event<Decoded<K>>) -> watcher::Event<K> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    match event {
        Apply(object) => Apply(bounded(object.0)),
        Delete(object) => Delete(bounded(object.0)),
        InitApply(object) => InitApply(bounded(object.0)),
        Init => Init,
        InitDone => InitDone,
    }
}

impl<'de, K: Deserialize<'de> + Trimmed> Deserialize<'de> for Decoded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let without = Without { inner: deserializer, left_out: K::LEFT_OUT, is_object: true };
        K::deserialize(without).map(Self)
    }
}

impl<K: Resource> Resource for Decoded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// What of the metadata is left out.
const OF_METADATA: &[&str] = &["managedFields"];

/// Wraps each stage of decoding: the deserializer of the object or its metadata, its visitor, its fields, and a value.
struct Without<T> {
    inner: T,
    left_out: &'static [&'static str],
    /// The object itself, not its metadata.
    is_object: bool,
}

impl<T> Without<T> {
    fn with<U>(&self, inner: U) -> Without<U> {
        Without { inner, left_out: self.left_out, is_object: self.is_object }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Without<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.with(visitor);
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.with(visitor);
        self.inner.deserialize_option(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.with(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Without<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        let kept = Kept { in_metadata: false, fields: self.with(fields) };
        self.inner.visit_map(kept)
    }
}

/// The fields that are kept.
struct Kept<A> {
    fields: Without<A>,
    /// The next value is the metadata of the object.
    in_metadata: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Kept<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            let Some(name) = self.fields.inner.next_key::<Name<'de>>()? else { return Ok(None) };
            if self.fields.left_out.contains(&&*name.0) {
                self.fields.inner.next_value::<IgnoredAny>()?;
                continue;
            }
            self.in_metadata = self.fields.is_object && name.0 == "metadata";
            let key = match &name.0 {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
                Cow::Owned(name) => seed.deserialize(StrDeserializer::new(name)),
            };
            return key.map(Some);
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if self.in_metadata {
            let seed = Without { inner: seed, left_out: OF_METADATA, is_object: false };
            return self.fields.inner.next_value_seed(seed);
        }
        self.fields.inner.next_value_seed(seed)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Without<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

/// The name of a field, borrowed from the input if it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use kube::core::WatchEvent;
    use serde_json::json;

    use super::*;

    fn pod() -> serde_json::Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "spec": { "containers": [{ "name": "app" }] },
            "metadata": {
                "name": "shop", "labels": { "managedFields": "a label", "spec": "another" }, "resourceVersion": "7",
                "managedFields": [{ "manager": "kubelet", "fieldsV1": { "f:status": {} } }], "uid": "u",
            },
            "status": { "phase": "Running", "message": "spec" },
        })
    }

    #[test]
    fn a_pod_is_decoded_without_managed_fields_and_spec_and_otherwise_as_always() {
        let text = json!({ "type": "MODIFIED", "object": pod() }).to_string();
        let WatchEvent::Modified(Decoded(decoded)) =
            serde_json::from_str::<WatchEvent<Decoded<Pod>>>(&text).unwrap()
        else {
            panic!("{text}")
        };
        let mut whole: Pod = serde_json::from_value(pod()).unwrap();
        whole.metadata.managed_fields = None;
        whole.spec = None;
        assert_eq!(decoded, whole);
        assert_eq!(whole.metadata.labels.map(|labels| labels.len()), Some(2), "names below are not left out");
    }

    #[test]
    fn another_kind_keeps_its_spec_and_an_escaped_name_is_still_read() {
        let text =
            r#"{"metad\u0061ta":{"n\u0061me":"shop","managed\u0046ields":[{}]},"spec":{"replicas":2}}"#;
        let Decoded(decoded): Decoded<Deployment> = serde_json::from_str(text).unwrap();
        assert_eq!(decoded.metadata.name.as_deref(), Some("shop"));
        assert_eq!(decoded.metadata.managed_fields, None);
        assert_eq!(decoded.spec.and_then(|spec| spec.replicas), Some(2));
    }

    #[test]
    fn null_metadata_is_read_as_without_this_also_if_the_object_precedes_its_type() {
        let text = r#"{"object":{"metadata":null,"spec":null},"type":"ADDED"}"#;
        let WatchEvent::Added(Decoded(decoded)) =
            serde_json::from_str::<WatchEvent<Decoded<Deployment>>>(text).unwrap()
        else {
            panic!("{text}")
        };
        assert_eq!(decoded, Deployment::default());
    }

    #[test]
    fn what_is_not_an_object_is_an_error() {
        for text in ["[]", "7", "null", r#"{"metadata":7}"#, r#"{"metadata":{"name":{}}}"#, "{"] {
            assert!(serde_json::from_str::<Decoded<Deployment>>(text).is_err(), "{text}");
        }
    }
}
