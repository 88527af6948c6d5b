//! Digests of the ConfigMaps that are a source. The operator watches only metadata, and keeps of it only the resource
//! versions of those that projects name. It reads the content once per change of such a ConfigMap, and keeps only the
//! digest.

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
    named: HashMap<Key, Named>,
    /// The ConfigMap that each project names.
    of_project: HashMap<Key, Key>,
    /// Resource versions of named ConfigMaps, of a list in progress.
    listed: Option<HashMap<Key, String>>,
    synced: bool,
}

/// A ConfigMap that a project names.
#[derive(Debug, Default)]
struct Named {
    by: HashSet<Key>,
    there: There,
    /// Resource version and digest of the content that was read last.
    digest: Option<(String, String)>,
}

#[derive(Debug, Default)]
enum There {
    /// No event or read said so yet.
    #[default]
    Unknown,
    No,
    /// With this resource version.
    Yes(String),
}

/// What is known about one ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It does not exist.
    Missing,
    /// The digest of its content.
    Digest(String),
    /// It changed, or no project named it before: its content must be read.
    Unread,
}

impl ConfigMaps {
    /// The first list is complete.
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// What is known about `map`. From now on a change of it concerns `project`, and a change of the one that the project named
    /// before does not.
    pub fn known(&self, map: &Key, project: &Key) -> Known {
        let mut inner = self.lock();
        if inner.of_project.get(project) != Some(map) {
            inner.unname(project);
            inner.of_project.insert(project.clone(), map.clone());
            inner.named.entry(map.clone()).or_default().by.insert(project.clone());
        }
        let Some(named) = inner.named.get(map) else { return Known::Unread };
        match (&named.there, &named.digest) {
            (There::No, _) => Known::Missing,
            (There::Yes(version), Some((read, digest))) if age(read) >= age(version) => {
                Known::Digest(digest.clone())
            }
            _ => Known::Unread,
        }
    }

    /// Notes that the project names no ConfigMap, or is gone.
    pub fn unnamed(&self, project: &Key) {
        self.lock().unname(project);
    }

    /// Stores the digest of a content that was read, and returns it.
    pub fn read(&self, object: &ConfigMap) -> String {
        let text = object.data.iter().flatten().map(|(name, text)| (name.clone(), text.clone().into_bytes()));
        let binary = object.binary_data.iter().flatten().map(|(name, bytes)| (name.clone(), bytes.0.clone()));
        let digest = files_digest(&text.chain(binary).collect::<BTreeMap<_, _>>());
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        let version = object.resource_version().unwrap_or_default();
        if let Some(named) = self.lock().named.get_mut(&key) {
            named.digest = Some((version.clone(), digest.clone()));
            if matches!(named.there, There::Unknown) {
                named.there = There::Yes(version);
            }
        }
        digest
    }

    /// Notes that a read did not find `map`. An event that arrived meanwhile is newer.
    pub fn missing(&self, map: &Key) {
        if let Some(named) = self.lock().named.get_mut(map)
            && matches!(named.there, There::Unknown)
        {
            named.there = There::No;
        }
    }

    /// How many ConfigMaps it remembers.
    pub fn remembered(&self) -> usize {
        self.lock().named.len()
    }

    /// Applies a watch event and returns the projects that it concerns.
    pub fn heard(&self, event: Event<PartialObjectMeta<ConfigMap>>) -> Vec<Key> {
        let mut inner = self.lock();
        let key = |object: &PartialObjectMeta<ConfigMap>| {
            (object.namespace().unwrap_or_default(), object.name_any())
        };
        match event {
            Event::Apply(object) => {
                let Some(named) = inner.named.get_mut(&key(&object)) else { return vec![] };
                named.there = There::Yes(object.resource_version().unwrap_or_default());
                named.by.iter().cloned().collect()
            }
            Event::Delete(object) => {
                let Some(named) = inner.named.get_mut(&key(&object)) else { return vec![] };
                (named.there, named.digest) = (There::No, None);
                named.by.iter().cloned().collect()
            }
            Event::Init => {
                inner.listed = Some(HashMap::new());
                vec![]
            }
            Event::InitApply(object) => {
                let Inner { named, listed, .. } = &mut *inner;
                let key = key(&object);
                if let Some(listed) = listed.as_mut().filter(|_| named.contains_key(&key)) {
                    listed.insert(key, object.resource_version().unwrap_or_default());
                }
                vec![]
            }
            Event::InitDone => {
                let listed = inner.listed.take().unwrap_or_default();
                for (key, named) in &mut inner.named {
                    // One that the list lacks may have been named since the list began.
                    named.there = listed.get(key).cloned().map_or(There::Unknown, There::Yes);
                }
                inner.synced = true;
                inner.of_project.keys().cloned().collect()
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
    fn unname(&mut self, project: &Key) {
        let Some(map) = self.of_project.remove(project) else { return };
        let Some(named) = self.named.get_mut(&map) else { return };
        named.by.remove(project);
        if named.by.is_empty() {
            self.named.remove(&map);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    fn metadata(name: &str, version: u8) -> PartialObjectMeta<ConfigMap> {
        let metadata = json!({ "namespace": "n", "name": name, "resourceVersion": version.to_string() });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn map(name: &str, version: u8, text: &str) -> ConfigMap {
        let metadata = json!({ "namespace": "n", "name": name, "resourceVersion": version.to_string() });
        serde_json::from_value(json!({ "metadata": metadata, "data": { "index.html": text } })).unwrap()
    }

    #[test]
    fn a_config_map_is_read_when_a_project_names_it_and_after_each_change() {
        let maps = ConfigMaps::default();
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Unread);
        let first = maps.read(&map("site", 2, "first"));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Digest(first));
        assert_eq!(maps.heard(Event::Apply(metadata("site", 3))), [key("shop")]);
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Unread);
        let second = maps.read(&map("site", 3, "second"));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Digest(second));
        maps.heard(Event::Delete(metadata("site", 4)));
        maps.read(&map("site", 3, "second"));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Missing, "the read was slower");
        maps.heard(Event::Apply(metadata("site", 5)));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Unread);
    }

    #[test]
    fn a_missing_config_map_is_read_once_until_it_appears() {
        let maps = ConfigMaps::default();
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Unread);
        maps.missing(&key("site"));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Missing);
        assert_eq!(maps.heard(Event::Apply(metadata("site", 5))), [key("shop")]);
        maps.missing(&key("site"));
        assert_eq!(maps.known(&key("site"), &key("shop")), Known::Unread, "the event is newer");
    }

    #[test]
    fn only_config_maps_that_existing_projects_name_are_remembered() {
        let maps = ConfigMaps::default();
        maps.heard(Event::Init);
        for number in 0..100 {
            maps.heard(Event::InitApply(metadata(&format!("other-{number}"), 1)));
        }
        maps.heard(Event::InitDone);
        for number in 0..100 {
            assert_eq!(maps.heard(Event::Apply(metadata(&format!("other-{number}"), 2))), []);
        }
        assert_eq!(maps.remembered(), 0);
        for (map, project) in [("a", "shop"), ("b", "shop"), ("b", "blog")] {
            maps.known(&key(map), &key(project));
        }
        assert_eq!(maps.remembered(), 1, "the project names another one now");
        maps.unnamed(&key("shop"));
        assert_eq!(maps.heard(Event::Apply(metadata("b", 3))), [key("blog")]);
        maps.unnamed(&key("blog"));
        let inner = maps.lock();
        assert!(inner.named.is_empty() && inner.of_project.is_empty());
    }

    #[test]
    fn after_a_list_a_config_map_that_it_lacks_is_read_again() {
        let maps = ConfigMaps::default();
        maps.known(&key("a"), &key("shop"));
        maps.known(&key("b"), &key("blog"));
        let (a, _) = (maps.read(&map("a", 2, "a")), maps.read(&map("b", 2, "b")));
        maps.heard(Event::Init);
        maps.heard(Event::InitApply(metadata("a", 2)));
        assert_eq!(maps.heard(Event::InitDone).len(), 2);
        assert_eq!(maps.known(&key("a"), &key("shop")), Known::Digest(a));
        assert_eq!(maps.known(&key("b"), &key("blog")), Known::Unread);
    }
}
