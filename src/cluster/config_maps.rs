//! Digests of the ConfigMaps that are a source. The operator watches only names and resource versions. It reads the
//! content once per change of a ConfigMap that a project names, and keeps only the digest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::Event;

use crate::project::Key;
use crate::version::files_digest;

/// What is known about ConfigMaps, by namespace and name.
#[derive(Debug, Default)]
pub struct ConfigMaps {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    versions: HashMap<Key, String>,
    digests: HashMap<Key, (String, String)>,
    listed: Option<HashMap<Key, String>>,
    /// Projects by the ConfigMap that they name.
    named_by: HashMap<Key, HashSet<Key>>,
    synced: bool,
}

/// What is known about one ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It does not exist.
    Missing,
    /// The digest of its content.
    Digest(String),
    /// It changed: its content must be read.
    Unread,
}

impl ConfigMaps {
    /// The first list is complete.
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// What is known about `map`. From now on a change of it concerns `project`.
    pub fn known(&self, map: &Key, project: &Key) -> Known {
        let mut inner = self.lock();
        inner.named_by.entry(map.clone()).or_default().insert(project.clone());
        let Some(version) = inner.versions.get(map) else { return Known::Missing };
        match inner.digests.get(map) {
            Some((read, digest)) if age(read) >= age(version) => Known::Digest(digest.clone()),
            _ => Known::Unread,
        }
    }

    /// Stores the digest of a content that was read, and returns it.
    pub fn read(&self, object: &ConfigMap) -> String {
        let text = object.data.iter().flatten().map(|(name, text)| (name.clone(), text.clone().into_bytes()));
        let binary = object.binary_data.iter().flatten().map(|(name, bytes)| (name.clone(), bytes.0.clone()));
        let digest = files_digest(&text.chain(binary).collect::<BTreeMap<_, _>>());
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        let version = object.resource_version().unwrap_or_default();
        self.lock().digests.insert(key, (version, digest.clone()));
        digest
    }

    /// Applies a watch event and returns the projects that it concerns.
    pub fn heard(&self, event: Event<PartialObjectMeta<ConfigMap>>) -> Vec<Key> {
        let mut inner = self.lock();
        let key = |object: &PartialObjectMeta<ConfigMap>| {
            (object.namespace().unwrap_or_default(), object.name_any())
        };
        match event {
            Event::Apply(object) => {
                inner.versions.insert(key(&object), object.resource_version().unwrap_or_default());
                inner.concerned(&key(&object))
            }
            Event::Delete(object) => {
                inner.versions.remove(&key(&object));
                inner.digests.remove(&key(&object));
                inner.concerned(&key(&object))
            }
            Event::Init => {
                inner.listed = Some(HashMap::new());
                vec![]
            }
            Event::InitApply(object) => {
                if let Some(listed) = inner.listed.as_mut() {
                    listed.insert(key(&object), object.resource_version().unwrap_or_default());
                }
                vec![]
            }
            Event::InitDone => {
                inner.versions = inner.listed.take().unwrap_or_default();
                inner.synced = true;
                inner.named_by.values().flatten().cloned().collect()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn age(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

impl Inner {
    fn concerned(&self, map: &Key) -> Vec<Key> {
        self.named_by.get(map).into_iter().flatten().cloned().collect()
    }
}
