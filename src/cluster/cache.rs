//! What a watch has told of one kind, by project. An own write is in here before its watch event arrives, so that the
//! next look sees it; an older event cannot undo it. Nothing in here talks to the API server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use crate::desired::names;

/// Namespace and name of a project.
pub type Key = (String, String);

/// The objects of one kind that carry a project's label.
#[derive(Debug)]
pub struct Cache<K> {
    inner: Mutex<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    objects: HashMap<Key, BTreeMap<String, Arc<K>>>,
    /// Uids that we deleted ourselves and whose deletion the watch has not told yet.
    deleted: HashSet<String>,
    /// What a list under way has told so far.
    listed: Option<HashMap<Key, BTreeMap<String, Arc<K>>>>,
    /// What we wrote since the list began: it may be newer than the list.
    written: Vec<Arc<K>>,
    /// Projects that something was taken from, and not by us.
    bereft: HashSet<Key>,
    synced: bool,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        let inner = Inner {
            objects: HashMap::new(),
            deleted: HashSet::new(),
            listed: None,
            written: vec![],
            bereft: HashSet::new(),
            synced: false,
        };
        Self { inner: Mutex::new(inner) }
    }
}

impl<K: Resource<DynamicType = ()>> Cache<K> {
    /// The objects of one project, in the order of their names.
    #[must_use]
    pub fn of(&self, key: &Key) -> Vec<Arc<K>> {
        self.lock().objects.get(key).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Every object.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.lock().objects.values().flat_map(|objects| objects.values().cloned()).collect()
    }

    /// The first list is complete.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// Has it said once more that something of the project vanished.
    pub fn doubt(&self, key: Key) {
        self.lock().bereft.insert(key);
    }

    /// Takes in an own write.
    pub fn wrote(&self, object: K) {
        let Some(key) = key(&object) else { return };
        let mut inner = self.lock();
        let object = Arc::new(object);
        if inner.listed.is_some() {
            inner.written.push(object.clone());
        }
        put_newer(&mut inner.objects, key, object);
    }

    /// Takes in an own deletion: late events of that object are no news.
    pub fn removed(&self, object: &K) {
        let Some(key) = key(object) else { return };
        let mut inner = self.lock();
        inner.deleted.extend(object.uid());
        take(&mut inner.objects, &key, object);
    }

    /// Takes in what the watch tells and returns the projects it concerns.
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
                    inner.bereft.insert(key.clone());
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

/// What a cache knows of losses, whatever its kind.
pub(super) trait Losses {
    /// Whether something of the project vanished that we did not delete. Said once.
    fn bereft(&self, key: &Key) -> bool;

    /// Whether [`Losses::bereft`] has something to say.
    fn is_bereft(&self, key: &Key) -> bool;
}

impl<K: Resource<DynamicType = ()>> Losses for Cache<K> {
    fn bereft(&self, key: &Key) -> bool {
        self.lock().bereft.remove(key)
    }

    fn is_bereft(&self, key: &Key) -> bool {
        self.lock().bereft.contains(key)
    }
}

impl<K: Resource<DynamicType = ()>> Inner<K> {
    /// The list is complete: it replaces what was there but for own writes since it began.
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
        self.bereft.extend(vanished.map(|(key, _)| key.clone()));
        let first = !std::mem::replace(&mut self.synced, true);
        if first {
            return vec![]; // Every project is looked at anyway when the operator starts.
        }
        let keys: HashSet<Key> = before.into_keys().chain(self.objects.keys().cloned()).collect();
        keys.into_iter().collect()
    }
}

fn key<K: Resource>(object: &K) -> Option<Key> {
    let project = object.labels().get(names::PROJECT)?;
    Some((object.namespace()?, project.clone()))
}

/// Resource versions of one kind can be compared as numbers (Kubernetes 1.35, KEP-5504, and etcd always did so).
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
