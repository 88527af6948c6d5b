//! The cache of one kind, by project. Our own write enters it before the watch event arrives, so the next pass sees it;
//! an older event cannot undo it. Nothing here talks to the API server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use crate::desired::names;

/// Namespace and name of a project.
pub type Key = (String, String);

/// The objects of one kind that have a project's label.
#[derive(Debug)]
pub struct Cache<K> {
    inner: Mutex<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    objects: HashMap<Key, BTreeMap<String, Arc<K>>>,
    /// Uids that we deleted and whose deletion the watch has not reported yet.
    deleted: HashSet<String>,
    /// Objects of a list in progress.
    listed: Option<HashMap<Key, BTreeMap<String, Arc<K>>>>,
    /// Objects that we wrote since the list began: they may be newer than the list.
    written: Vec<Arc<K>>,
    /// Projects that lost an object that we did not delete.
    take_lost_child: HashSet<Key>,
    synced: bool,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        let inner = Inner {
            objects: HashMap::new(),
            deleted: HashSet::new(),
            listed: None,
            written: vec![],
            take_lost_child: HashSet::new(),
            synced: false,
        };
        Self { inner: Mutex::new(inner) }
    }
}

impl<K: Resource<DynamicType = ()>> Cache<K> {
    /// The objects of one project, ordered by name.
    pub fn of(&self, key: &Key) -> Vec<Arc<K>> {
        self.lock().objects.get(key).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.lock().objects.values().flat_map(|objects| objects.values().cloned()).collect()
    }

    /// The first list is complete.
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// Marks the project again as one that lost an object.
    pub fn doubt(&self, key: Key) {
        self.lock().take_lost_child.insert(key);
    }

    /// Stores an object that we wrote.
    pub fn wrote(&self, object: K) {
        let Some(key) = key(&object) else { return };
        let mut inner = self.lock();
        let object = Arc::new(object);
        if inner.listed.is_some() {
            inner.written.push(object.clone());
        }
        put_newer(&mut inner.objects, key, object);
    }

    /// Removes an object that we deleted. Late events of it are ignored.
    pub fn removed(&self, object: &K) {
        let Some(key) = key(object) else { return };
        let mut inner = self.lock();
        inner.deleted.extend(object.uid());
        take(&mut inner.objects, &key, object);
    }

    /// Applies a watch event and returns the projects that it concerns.
    pub fn heard(&self, event: Event<K>) -> Vec<Key> {
        let mut inner = self.lock();
        match event {
            Event::Apply(object) => {
                let Some(key) = key(&object) else { return vec![] };
                if object.uid().is_some_and(|uid| inner.deleted.contains(&uid)) {
                    return vec![];
                }
                put_newer(&mut inner.objects, key.clone(), Arc::new(object));
                vec![key]
            }
            Event::Delete(object) => {
                let Some(key) = key(&object) else { return vec![] };
                if !object.uid().is_some_and(|uid| inner.deleted.remove(&uid)) {
                    inner.take_lost_child.insert(key.clone());
                }
                take(&mut inner.objects, &key, &object);
                vec![key]
            }
            Event::Init => {
                inner.listed = Some(HashMap::new());
                inner.written.clear();
                vec![]
            }
            Event::InitApply(object) => {
                if let (Some(key), Some(listed)) = (key(&object), inner.listed.as_mut()) {
                    put_newer(listed, key, Arc::new(object));
                }
                vec![]
            }
            Event::InitDone => inner.relisted(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a cache of any kind knows about lost objects.
pub(super) trait Losses {
    /// Whether the project lost an object that we did not delete. Clears the mark.
    fn take_lost_child(&self, key: &Key) -> bool;

    /// Whether [`Losses::take_lost_child`] would return true. Keeps the mark.
    fn lost_child(&self, key: &Key) -> bool;
}

impl<K: Resource<DynamicType = ()>> Losses for Cache<K> {
    fn take_lost_child(&self, key: &Key) -> bool {
        self.lock().take_lost_child.remove(key)
    }

    fn lost_child(&self, key: &Key) -> bool {
        self.lock().take_lost_child.contains(key)
    }
}

impl<K: Resource<DynamicType = ()>> Inner<K> {
    /// The list is complete: it replaces all objects except our own writes since it began.
    fn relisted(&mut self) -> Vec<Key> {
        let Some(mut listed) = self.listed.take() else { return vec![] };
        for object in std::mem::take(&mut self.written) {
            if let Some(key) = key(&*object) {
                put_newer(&mut listed, key, object);
            }
        }
        for objects in listed.values_mut() {
            objects.retain(|_, object| object.uid().is_none_or(|uid| !self.deleted.contains(&uid)));
        }
        let deleted = std::mem::take(&mut self.deleted);
        let before = std::mem::replace(&mut self.objects, listed);
        let vanished = before.iter().filter(|(key, objects)| {
            let there = self.objects.get(*key);
            objects.iter().any(|(name, object)| {
                object.uid().is_none_or(|uid| !deleted.contains(&uid))
                    && there.is_none_or(|there| !there.contains_key(name))
            })
        });
        self.take_lost_child.extend(vanished.map(|(key, _)| key.clone()));
        let first = !std::mem::replace(&mut self.synced, true);
        if first {
            return vec![]; // At its start, the operator reconciles every project anyway.
        }
        let keys: HashSet<Key> = before.into_keys().chain(self.objects.keys().cloned()).collect();
        keys.into_iter().collect()
    }
}

fn key<K: Resource>(object: &K) -> Option<Key> {
    let project = object.labels().get(names::PROJECT)?;
    Some((object.namespace()?, project.clone()))
}

/// The resource version as a number. Those of one kind are comparable (Kubernetes 1.35, KEP-5504; etcd always did so).
pub(super) fn age<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn put_newer<K: Resource>(objects: &mut HashMap<Key, BTreeMap<String, Arc<K>>>, key: Key, object: Arc<K>) {
    let objects = objects.entry(key).or_default();
    let newer = objects.get(&object.name_any()).is_none_or(|there| age(&**there) <= age(&*object));
    if newer {
        objects.insert(object.name_any(), object);
    }
}

fn take<K: Resource>(objects: &mut HashMap<Key, BTreeMap<String, Arc<K>>>, key: &Key, object: &K) {
    let Some(of_project) = objects.get_mut(key) else { return };
    if of_project.get(&object.name_any()).is_some_and(|there| there.uid() == object.uid()) {
        of_project.remove(&object.name_any());
    }
    if of_project.is_empty() {
        objects.remove(key);
    }
}
