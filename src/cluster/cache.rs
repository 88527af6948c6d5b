//! The cache of one kind, by project. Our own write enters it before the watch event arrives, so the next pass sees it;
//! an older event cannot undo it. Objects of projects at rest are packed. Nothing here talks to the API server.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use super::packed::{Entry, Pack, Sample};
use crate::project::Key;

/// The objects of one kind that belong to projects.
#[derive(Debug)]
pub struct Cache<K> {
    inner: Mutex<Inner<K>>,
}

/// Deleted uids that are remembered. Answers are late by seconds at most.
const GONE: usize = 256;

/// Unused room of a map that is not worth a copy.
const ROOM: usize = 256;

#[derive(Debug)]
struct Inner<K> {
    objects: Objects<K>,
    /// Projects with an object that is not packed yet.
    whole: HashSet<Key>,
    sample: Sample,
    /// Uids that we deleted and whose deletion the watch has not reported yet.
    deleted: HashSet<String>,
    /// Uids whose deletion the watch reported last: an answer to a write may arrive after that.
    gone: VecDeque<String>,
    /// Objects of a list in progress.
    listed: Option<Objects<K>>,
    /// Objects that we wrote since the list began: they may be newer than the list.
    written: Vec<Arc<K>>,
    /// Projects that lost an object that we did not delete.
    lost_child: HashSet<Key>,
    synced: bool,
}

/// The objects of each project, ordered by name. Most projects have one or two of a kind.
type Objects<K> = HashMap<Key, Vec<Entry<K>>>;

impl<K> Default for Cache<K> {
    fn default() -> Self {
        let inner = Inner {
            objects: HashMap::new(),
            whole: HashSet::new(),
            sample: Sample::default(),
            deleted: HashSet::new(),
            gone: VecDeque::new(),
            listed: None,
            written: vec![],
            lost_child: HashSet::new(),
            synced: false,
        };
        Self { inner: Mutex::new(inner) }
    }
}

impl<K: Pack> Cache<K> {
    /// The objects of one project, ordered by name. They stay whole until the project rests.
    pub fn of(&self, key: &Key) -> Vec<Arc<K>> {
        let mut inner = self.lock();
        let Inner { objects, sample, .. } = &mut *inner;
        let Some(entries) = objects.get_mut(key) else { return vec![] };
        let objects = entries.iter_mut().filter_map(|entry| entry.open(sample)).collect();
        inner.used(key);
        objects
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<K>> {
        let inner = self.lock();
        inner.objects.values().flatten().filter_map(|entry| entry.peek(&inner.sample)).collect()
    }

    /// Every project with an object.
    pub fn keys(&self) -> Vec<Key> {
        self.lock().objects.keys().cloned().collect()
    }

    /// See [`Pack::has_work`].
    pub fn has_work(&self, key: &Key) -> bool {
        self.lock().objects.get(key).is_some_and(|entries| entries.iter().any(|entry| entry.has_work))
    }

    /// The project has an object.
    pub fn has(&self, key: &Key) -> bool {
        self.lock().objects.contains_key(key)
    }

    /// The project has an object, or a list in progress may contain one.
    pub fn may_have(&self, key: &Key) -> bool {
        let inner = self.lock();
        !inner.synced || inner.listed.is_some() || inner.objects.contains_key(key)
    }

    /// How many objects it holds.
    pub fn held(&self) -> usize {
        self.lock().objects.values().map(Vec::len).sum()
    }

    /// The node ports in use.
    pub fn node_ports(&self) -> HashSet<u16> {
        self.lock().objects.values().flatten().filter_map(|entry| entry.node_port).collect()
    }

    /// The first list is complete.
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// Marks the project again as one that lost an object.
    pub fn doubt(&self, key: Key) {
        self.lock().lost_child.insert(key);
    }

    /// Stores an object that we wrote.
    pub fn wrote(&self, object: K) {
        let Some(key) = object.project() else { return };
        let mut inner = self.lock();
        if object.uid().is_some_and(|uid| inner.gone.contains(&uid)) {
            return; // The answer was slower than the event of the deletion.
        }
        let object = Arc::new(object);
        if inner.listed.is_some() {
            inner.written.push(object.clone());
        }
        inner.used(&key);
        put_newer(&mut inner.objects, key, Entry::new(object));
    }

    /// Removes an object that we deleted. Late events of it are ignored.
    pub fn removed(&self, object: &K) {
        let Some(key) = object.project() else { return };
        let mut inner = self.lock();
        // If the event of the deletion was faster, no other will follow.
        let awaited = object.uid().filter(|uid| !inner.gone.contains(uid));
        inner.deleted.extend(awaited);
        take(&mut inner.objects, &key, object);
    }

    /// Applies a watch event and returns the projects for which it is news.
    pub fn heard(&self, event: Event<K>) -> Vec<Key> {
        let mut inner = self.lock();
        match event {
            Event::Apply(object) => {
                let Some(key) = object.project() else { return vec![] };
                if object.uid().is_some_and(|uid| inner.deleted.contains(&uid)) {
                    return vec![];
                }
                let newer = put_newer(&mut inner.objects, key.clone(), Entry::new(Arc::new(object)));
                inner.used(&key);
                if newer || !K::ONLY_PASSES_WRITE { vec![key] } else { vec![] }
            }
            Event::Delete(object) => {
                let Some(key) = object.project() else { return vec![] };
                if !object.uid().is_some_and(|uid| inner.deleted.remove(&uid)) && K::IS_CHILD {
                    inner.lost_child.insert(key.clone());
                }
                take(&mut inner.objects, &key, &object);
                inner.gone.extend(object.uid());
                let surplus = inner.gone.len().saturating_sub(GONE);
                inner.gone.drain(..surplus);
                vec![key]
            }
            Event::Init => {
                inner.listed = Some(HashMap::new());
                inner.written.clear();
                vec![]
            }
            Event::InitApply(object) => {
                let Inner { listed, sample, .. } = &mut *inner;
                if let (Some(key), Some(listed)) = (object.project(), listed.as_mut()) {
                    let mut entry = Entry::new(Arc::new(object));
                    entry.pack(sample); // A list has objects of every project, and most of them rest.
                    put_newer(listed, key, entry);
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

    /// Clears the marks of all other projects.
    fn keep_marks_of(&self, stays: &dyn Fn(&Key) -> bool);

    /// How many marks and uids of deleted objects it remembers, except the last [`GONE`].
    fn remembered(&self) -> usize;
}

impl<K: Pack> Losses for Cache<K> {
    fn take_lost_child(&self, key: &Key) -> bool {
        self.lock().lost_child.remove(key)
    }

    fn lost_child(&self, key: &Key) -> bool {
        self.lock().lost_child.contains(key)
    }

    fn keep_marks_of(&self, stays: &dyn Fn(&Key) -> bool) {
        self.lock().lost_child.retain(stays);
    }

    fn remembered(&self) -> usize {
        let inner = self.lock();
        inner.lost_child.len() + inner.deleted.len()
    }
}

/// What a cache of any kind does to keep the objects of projects at rest packed.
pub(super) trait Packing {
    /// Packs what nothing has used since the last call.
    fn rest(&self);

    /// An object of the project changed since it was packed last.
    fn is_fresh(&self, key: &Key) -> bool;

    /// Packs the objects of the project that were packed before.
    fn close(&self, key: &Key);
}

impl<K: Pack> Packing for Cache<K> {
    fn rest(&self) {
        let Inner { objects, whole, sample, .. } = &mut *self.lock();
        whole.retain(|key| {
            objects.get_mut(key).is_some_and(|entries| {
                // Every entry, not only up to the first one that stays whole.
                entries.iter_mut().map(|entry| entry.rest(sample)).fold(false, |some, whole| some | whole)
            })
        });
        // After many deletions, the room of what is gone would stay.
        if objects.capacity() > ROOM + 4 * objects.len() {
            objects.shrink_to(2 * objects.len());
        }
        if whole.capacity() > ROOM + 4 * whole.len() {
            whole.shrink_to(2 * whole.len());
        }
    }

    fn is_fresh(&self, key: &Key) -> bool {
        self.lock().objects.get(key).is_some_and(|entries| entries.iter().any(Entry::is_fresh))
    }

    fn close(&self, key: &Key) {
        let mut inner = self.lock();
        inner.objects.get_mut(key).into_iter().flatten().for_each(Entry::close);
    }
}

impl<K: Pack> Inner<K> {
    /// Notes that objects of the project are whole, for [`Cache::rest`].
    fn used(&mut self, key: &Key) {
        if K::PACKS {
            self.whole.insert(key.clone());
        }
    }

    /// The list is complete: it replaces all objects except our own writes since it began.
    fn relisted(&mut self) -> Vec<Key> {
        let Some(mut listed) = self.listed.take() else { return vec![] };
        for object in std::mem::take(&mut self.written) {
            if let Some(key) = object.project() {
                put_newer(&mut listed, key, Entry::new(object));
            }
        }
        for objects in listed.values_mut() {
            objects.retain(|entry| entry.uid.as_ref().is_none_or(|uid| !self.deleted.contains(uid)));
        }
        let deleted = std::mem::take(&mut self.deleted);
        let before = std::mem::replace(&mut self.objects, listed);
        let vanished = before.iter().filter(|(key, objects)| {
            let there = self.objects.get(*key);
            objects.iter().any(|entry| {
                let stays = |there: &Vec<Entry<K>>| there.iter().any(|other| other.name == entry.name);
                entry.uid.as_ref().is_none_or(|uid| !deleted.contains(uid)) && !there.is_some_and(stays)
            })
        });
        self.lost_child.extend(vanished.filter(|_| K::IS_CHILD).map(|(key, _)| key.clone()));
        let first = !std::mem::replace(&mut self.synced, true);
        if first {
            return vec![]; // At its start, the operator reconciles every project anyway.
        }
        let keys: HashSet<Key> = before.into_keys().chain(self.objects.keys().cloned()).collect();
        keys.into_iter().collect()
    }
}

/// The resource version as a number. Those of one kind are comparable (Kubernetes 1.35, KEP-5504; etcd always did so).
pub(super) fn age<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Stores the object unless a newer one is there. Returns whether it was unknown, also if its age is.
fn put_newer<K: Pack>(objects: &mut Objects<K>, key: Key, entry: Entry<K>) -> bool {
    let objects = objects.entry(key).or_default();
    match objects.binary_search_by(|there| there.name.cmp(&entry.name)) {
        Ok(at) if objects[at].age <= entry.age => {
            let there = std::mem::replace(&mut objects[at], entry);
            there.age < objects[at].age || objects[at].age == 0
        }
        Ok(_) => false,
        Err(at) => {
            objects.insert(at, entry);
            true
        }
    }
}

fn take<K: Pack>(objects: &mut Objects<K>, key: &Key, object: &K) {
    let Some(of_project) = objects.get_mut(key) else { return };
    of_project.retain(|entry| entry.name != object.name_any() || entry.uid != object.uid());
    if of_project.is_empty() {
        objects.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;
    use crate::desired::names;

    fn service(name: &str, version: u64, port: u16) -> Service {
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "n", "uid": format!("uid-{name}"), "resourceVersion": version.to_string(),
                "labels": { names::PROJECT: "shop" },
            },
            "spec": { "ports": [{ "port": 80, "nodePort": port }] },
        }))
        .unwrap()
    }

    fn shop() -> Key {
        ("n".to_owned(), "shop".to_owned())
    }

    fn versions(cache: &Cache<Service>) -> Vec<Option<String>> {
        cache.of(&shop()).iter().map(|object| object.resource_version()).collect()
    }

    fn packed(cache: &Cache<Service>) -> bool {
        cache.lock().whole.is_empty()
    }

    #[test]
    fn an_older_event_does_not_undo_our_own_write() {
        let cache = Cache::default();
        cache.wrote(service("a", 7, 30_001));
        cache.heard(Event::Apply(service("a", 5, 30_000)));
        assert_eq!(versions(&cache), [Some("7".to_owned())]);
        cache.removed(&service("a", 7, 30_001));
        assert_eq!(
            cache.heard(Event::Apply(service("a", 8, 30_001))),
            [],
            "a late event of a deleted object"
        );
        assert_eq!(versions(&cache), []);
    }

    #[test]
    fn the_event_of_our_own_write_is_no_news_unless_the_build_queue_may_have_made_it() {
        let cache = Cache::default();
        cache.wrote(service("a", 7, 30_001));
        assert_eq!(cache.heard(Event::Apply(service("a", 7, 30_001))), []);
        assert_eq!(cache.heard(Event::Apply(service("a", 8, 30_001))), [shop()], "someone else wrote");
        let mut ageless = service("b", 0, 30_002);
        ageless.metadata.resource_version = Some("opaque".to_owned());
        cache.wrote(ageless.clone());
        assert_eq!(cache.heard(Event::Apply(ageless)), [shop()], "nobody knows which is newer");
        let jobs: Cache<k8s_openapi::api::batch::v1::Job> = Cache::default();
        let job = json!({ "metadata": {
            "name": "a", "namespace": "n", "resourceVersion": "3", "labels": { names::PROJECT: "shop" } } });
        let job: k8s_openapi::api::batch::v1::Job = serde_json::from_value(job).unwrap();
        jobs.wrote(job.clone());
        assert_eq!(jobs.heard(Event::Apply(job)), [shop()]);
    }

    #[test]
    fn an_answer_that_arrives_after_the_deletion_does_not_bring_the_object_back() {
        let cache = Cache::default();
        cache.wrote(service("a", 1, 30_001));
        cache.heard(Event::Delete(service("a", 3, 30_001)));
        cache.wrote(service("a", 2, 30_001));
        assert_eq!((versions(&cache), cache.keys()), (vec![], vec![]));
        for number in 0..GONE as u64 + 8 {
            cache.heard(Event::Delete(service(&format!("b{number}"), number, 30_002)));
        }
        assert_eq!(cache.lock().gone.len(), GONE, "memory is bounded");
    }

    #[test]
    fn a_deletion_is_not_remembered_after_its_event_whichever_is_faster() {
        let cache = Cache::default();
        for answer_first in [true, false] {
            cache.wrote(service("a", 1, 30_001));
            if answer_first {
                cache.removed(&service("a", 1, 30_001));
            }
            cache.heard(Event::Delete(service("a", 3, 30_001)));
            if !answer_first {
                cache.removed(&service("a", 1, 30_001));
            }
            assert!(cache.lock().deleted.is_empty(), "{answer_first}");
        }
    }

    #[test]
    fn objects_at_rest_are_packed_and_an_event_or_a_read_keeps_them_whole() {
        let cache = Cache::default();
        cache.wrote(service("a", 1, 30_001));
        cache.rest();
        assert!(!packed(&cache), "it was just written");
        cache.rest();
        assert!(packed(&cache));
        assert_eq!((cache.node_ports(), cache.all().len(), cache.keys()), ([30_001].into(), 1, vec![shop()]));
        assert!(packed(&cache), "a look at all of them keeps none whole");
        assert_eq!(versions(&cache).len(), 1);
        assert!(!packed(&cache));
        cache.rest();
        cache.heard(Event::Apply(service("b", 2, 30_002)));
        cache.rest();
        assert!(!packed(&cache), "the event came after the last rest");
        cache.rest();
        assert!(packed(&cache));
    }

    #[test]
    fn what_a_pass_only_looked_at_is_packed_again_at_once() {
        let cache = Cache::default();
        cache.heard(Event::Init);
        cache.heard(Event::InitApply(service("a", 1, 30_001)));
        cache.heard(Event::InitDone);
        assert_eq!(versions(&cache).len(), 1);
        assert!(!cache.is_fresh(&shop()));
        let whole = |cache: &Cache<Service>| cache.lock().objects[&shop()][0].is_whole();
        assert!(whole(&cache));
        cache.close(&shop());
        assert!(!whole(&cache));
        cache.heard(Event::Apply(service("a", 2, 30_001)));
        assert!(cache.is_fresh(&shop()));
        cache.close(&shop());
        assert!(whole(&cache), "it would have to be compressed first");
    }

    #[test]
    fn a_project_has_work_until_its_status_is_about_its_newest_generation() {
        let cache = Cache::default();
        let project = |version: u64, observed: Option<i64>| -> crate::crd::ProjectDeployment {
            let metadata = json!({
                "name": "shop", "namespace": "n", "uid": "u", "generation": 2, "resourceVersion": version.to_string() });
            let status = observed.map(|observed| json!({ "observedGeneration": observed }));
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": metadata, "status": status,
                "spec": { "source": { "configMap": { "name": "site" } } },
            }))
            .unwrap()
        };
        assert!(!cache.has(&shop()) && !cache.has_work(&shop()));
        for (version, observed, has_work) in [(1, None, true), (2, Some(1), true), (3, Some(2), false)] {
            cache.heard(Event::Apply(project(version, observed)));
            assert!(cache.has(&shop()));
            assert_eq!(cache.has_work(&shop()), has_work, "{observed:?}");
        }
    }

    #[test]
    fn a_kind_that_is_never_packed_is_not_noted_for_packing() {
        let cache: Cache<k8s_openapi::api::batch::v1::Job> = Cache::default();
        let job =
            json!({ "metadata": { "name": "a", "namespace": "n", "labels": { names::PROJECT: "shop" } } });
        cache.wrote(serde_json::from_value(job).unwrap());
        assert_eq!(
            (cache.of(&shop()).len(), cache.lock().whole.len()),
            (1, 0),
            "nothing would remove the note"
        );
    }

    #[test]
    fn a_list_is_packed_and_keeps_what_was_written_since_it_began() {
        let cache = Cache::default();
        cache.heard(Event::Init);
        cache.heard(Event::InitApply(service("a", 1, 30_001)));
        cache.wrote(service("b", 3, 30_002));
        cache.heard(Event::InitDone);
        assert!(cache.synced());
        cache.rest();
        assert_eq!(versions(&cache), [Some("1".to_owned()), Some("3".to_owned())]);
        cache.heard(Event::Init);
        cache.heard(Event::InitApply(service("b", 3, 30_002)));
        assert_eq!(cache.heard(Event::InitDone), [shop()]);
        assert!(cache.take_lost_child(&shop()), "a is gone, and we did not delete it");
        assert!(!cache.take_lost_child(&shop()), "the mark is taken once");
    }
}
