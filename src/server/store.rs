//! What the server holds of every project, and the changes that listeners may have missed. No I/O: the watch fills it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::production::{Look, event};
use super::size;

/// Namespace and name.
pub(super) type Key = (String, String);

/// Changes that a listener may be behind before it is dropped. A power of two.
pub(super) const BEHIND: usize = 64;

/// Changes of all projects that are kept for listeners that come back. One has about 1 KiB.
const KEPT: usize = 4096;

/// Most bytes of their data.
const KEPT_BYTES: usize = 16 << 20;

/// Most memory of one project, in bytes. Few need more: a spec has less than 64 KiB of text.
const LARGEST: usize = 256 << 10;

/// JSON text after which a page of a list ends.
const PAGE_BYTES: usize = 1 << 20;

/// Prefix of the annotations that are kept.
const OWN: &str = "doce.dev/";

/// A project as it is served.
#[derive(Debug)]
pub(super) struct Held {
    /// The object without what no client of this API needs.
    pub object: Value,
    /// Its resource version.
    pub version: u64,
    /// Nothing is left out because the object is too large.
    pub whole: bool,
    /// Bytes of its JSON text.
    bytes: usize,
}

impl Held {
    /// A project that was read for one answer, however large it is; none if it has no version.
    pub(super) fn read(object: Value) -> Option<Self> {
        let version = object["metadata"]["resourceVersion"].as_str()?.parse().ok()?;
        let bytes = size::of_text(&object);
        Some(Self { object, version, whole: true, bytes })
    }
}

/// A change of one project, as listeners get it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Resource version of the project after it. Grows with time.
    pub version: u64,
    /// Name of the event.
    pub name: &'static str,
    /// Data of the event, JSON.
    pub data: String,
    /// The project is gone.
    pub gone: bool,
    /// Nothing is in progress.
    pub at_rest: bool,
}

/// What a listener starts with: the changes that it missed, and those to come.
#[derive(Debug)]
pub(super) struct Subscription {
    /// Missed changes, oldest first.
    pub missed: Vec<Arc<Change>>,
    /// Changes to come.
    pub coming: broadcast::Receiver<Arc<Change>>,
    /// Nothing is in progress.
    pub at_rest: bool,
    /// The version that the listener has: nothing up to it is sent again.
    pub seen: Option<u64>,
}

/// All projects.
#[derive(Debug, Default)]
pub(super) struct Store {
    projects: BTreeMap<Key, Arc<Held>>,
    listeners: BTreeMap<Key, broadcast::Sender<Arc<Change>>>,
    recent: VecDeque<(Key, Arc<Change>)>,
    recent_bytes: usize,
    /// No change after this version is missing in `recent`.
    complete_from: u64,
    /// The versions of a list that is being read; none between lists.
    listed: Option<BTreeMap<Key, Arc<Held>>>,
}

impl Store {
    /// A list begins.
    pub(super) fn list_begins(&mut self) {
        self.listed = Some(BTreeMap::new());
    }

    /// An object of the list.
    pub(super) fn list_has(&mut self, object: Value) {
        if let (Some((key, held)), Some(listed)) = (held(object), self.listed.as_mut()) {
            listed.insert(key, Arc::new(held));
        }
    }

    /// The list is complete: it replaces all projects. Changes between it and the watch before are not known one by one.
    pub(super) fn list_ends(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        let newest = listed.values().map(|held| held.version).max().unwrap_or(0);
        let gone = self.projects.keys().filter(|key| !listed.contains_key(*key)).cloned().collect::<Vec<_>>();
        for key in gone {
            self.remove(&key, newest);
        }
        self.recent.clear();
        self.recent_bytes = 0;
        self.complete_from = newest;
        let old = std::mem::replace(&mut self.projects, listed.clone());
        for (key, held) in listed {
            if old.get(&key).is_none_or(|old| old.version < held.version) {
                self.publish(&key, &held);
            }
        }
    }

    /// A project was created or changed.
    pub(super) fn apply(&mut self, object: Value) {
        let Some((key, held)) = held(object) else { return };
        let held = Arc::new(held);
        let change = Arc::new(change(&held));
        self.projects.insert(key.clone(), held);
        self.tell(key, change);
    }

    /// A project was deleted.
    pub(super) fn delete(&mut self, object: Value) {
        if let Some((key, held)) = held(object) {
            self.remove(&key, held.version);
        }
    }

    /// The project with this name.
    #[must_use]
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Held>> {
        self.projects.get(key).cloned()
    }

    /// What the API server answered to a write is here, or the project is gone since.
    #[must_use]
    pub(super) fn has(&self, key: &Key, version: u64) -> bool {
        self.projects.get(key).is_some_and(|held| held.version >= version)
    }

    /// At most `limit` projects of a namespace (empty: of all) after `after` that `matches`, by name, and whether there are more.
    /// A page with more than 1 MiB of text ends.
    #[must_use]
    pub(super) fn page(
        &self,
        namespace: &str,
        after: Option<&Key>,
        limit: usize,
        matches: impl Fn(&Value) -> bool,
    ) -> (Vec<Arc<Held>>, bool) {
        let start = after.cloned().unwrap_or_else(|| (namespace.to_owned(), String::new()));
        let there = self.projects.range(start..).filter(|(key, _)| Some(*key) != after);
        let inside = there.take_while(|((of, _), _)| namespace.is_empty() || of == namespace);
        let (mut found, mut bytes) = (vec![], 0);
        for (_, held) in inside.filter(|(_, held)| matches(&held.object)) {
            if found.len() >= limit || bytes > PAGE_BYTES {
                return (found, true);
            }
            bytes += held.bytes;
            found.push(held.clone());
        }
        (found, false)
    }

    /// How many projects there are.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.projects.len()
    }

    /// Starts to listen to a project after version `seen`: with all changes since, if they are known one by one, else with the
    /// project as it is, if it is newer. Without `seen`, with the project as it is. None if there is no such project.
    pub(super) fn subscribe(&mut self, key: &Key, seen: Option<u64>) -> Option<Subscription> {
        let held = self.projects.get(key)?.clone();
        let after = seen.unwrap_or(0);
        let mut missed: Vec<Arc<Change>> = match seen {
            Some(seen) if seen >= self.complete_from => {
                let newer = self.recent.iter().filter(|(of, change)| of == key && change.version > seen);
                newer.map(|(_, change)| change.clone()).collect()
            }
            _ => vec![],
        };
        let last = missed.last().map_or(after, |change| change.version);
        if held.version > last {
            missed.push(Arc::new(change(&held)));
        }
        let sender = self.listeners.entry(key.clone()).or_insert_with(|| broadcast::Sender::new(BEHIND));
        Some(Subscription {
            missed,
            coming: sender.subscribe(),
            at_rest: Look::at(&held.object).is_at_rest(),
            seen,
        })
    }

    fn publish(&mut self, key: &Key, held: &Held) {
        if let Some(sender) = self.listeners.get(key) {
            let _ = sender.send(Arc::new(change(held))); // Without listeners, nothing is missed.
        }
    }

    fn remove(&mut self, key: &Key, version: u64) {
        if self.projects.remove(key).is_some() {
            let data = json!({ "reason": "deleted", "message": "the project was deleted" }).to_string();
            self.tell(
                key.clone(),
                Arc::new(Change { version, name: "stream.end", data, gone: true, at_rest: true }),
            );
        }
        self.listeners.remove(key);
    }

    fn tell(&mut self, key: Key, change: Arc<Change>) {
        if let Some(sender) = self.listeners.get(&key)
            && sender.send(change.clone()).is_err()
        {
            self.listeners.remove(&key); // The last listener has left.
        }
        self.recent_bytes += change.data.len();
        self.recent.push_back((key, change));
        while (self.recent.len() > KEPT || self.recent_bytes > KEPT_BYTES)
            && let Some((_, forgotten)) = self.recent.pop_front()
        {
            self.recent_bytes -= forgotten.data.len();
            self.complete_from = self.complete_from.max(forgotten.version);
        }
    }
}

fn change(held: &Held) -> Change {
    let (name, data) = event(&held.object);
    Change {
        version: held.version,
        name,
        data: data.to_string(),
        gone: false,
        at_rest: Look::at(&held.object).is_at_rest(),
    }
}

/// Removes what no client of this API needs: managed fields, and the annotations of others.
pub(super) fn trim(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| name.starts_with(OWN));
    }
}

/// A project as it is served; none if it has no version.
fn held(mut object: Value) -> Option<(Key, Held)> {
    trim(&mut object);
    let text = |name: &str| object["metadata"][name].as_str().map(str::to_owned);
    let key = (text("namespace")?, text("name")?);
    let version = text("resourceVersion")?.parse().ok()?;
    let whole = size::of_memory(&object) <= LARGEST;
    let object = if whole { object } else { reduced(&object) };
    let bytes = size::of_text(&object);
    Some((key, Held { object, version, whole, bytes }))
}

/// What status and events need of a project that is too large. Nothing in it has a size that its author chooses without a bound.
fn reduced(object: &Value) -> Value {
    let small = |value: &Value, most: usize| {
        if size::of_memory(value) <= most { value.clone() } else { Value::Null }
    };
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let mut kept = json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {}, "spec": {}, "status": small(&object["status"], LARGEST / 2),
    });
    for name in [
        "namespace",
        "name",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        if let Some(value) = metadata.get(name) {
            kept["metadata"][name] = value.clone();
        }
    }
    for name in ["labels", "annotations"] {
        kept["metadata"][name] = small(&metadata[name], LARGEST / 8);
    }
    for name in ["state", "replicas"] {
        kept["spec"][name] = small(&spec[name], 64);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: u64) -> Value {
        json!({
            "metadata": { "namespace": "shops", "name": name, "resourceVersion": version.to_string(), "managedFields": [1],
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "x", "mine": "y", "doce.dev/deploy": "@1" } },
            "spec": {},
        })
    }

    fn key(name: &str) -> Key {
        ("shops".to_owned(), name.to_owned())
    }

    fn store(objects: &[(&str, u64)]) -> Store {
        let mut store = Store::default();
        store.list_begins();
        for (name, version) in objects {
            store.list_has(object(name, *version));
        }
        store.list_ends();
        store
    }

    fn missed(store: &mut Store, seen: Option<u64>) -> Vec<u64> {
        let subscription = store.subscribe(&key("site"), seen).unwrap();
        subscription.missed.iter().map(|change| change.version).collect()
    }

    #[test]
    fn a_project_is_held_without_what_no_client_needs() {
        let held = store(&[("site", 5)]).get(&key("site")).unwrap();
        assert_eq!(held.object["metadata"].get("managedFields"), None);
        assert_eq!(held.object["metadata"]["annotations"], json!({ "doce.dev/deploy": "@1" }));
        assert!(held.whole);
    }

    #[test]
    fn a_project_that_is_too_large_is_held_without_most_of_it_and_still_has_its_state() {
        let mut large = object("site", 5);
        large["spec"] = json!({ "state": "Stopped", "replicas": 2, "zeros": vec![0; 20_000] });
        large["metadata"]["labels"] = json!({ "a": "x".repeat(LARGEST) });
        large["status"] = json!({ "phase": "Stopped" });
        let mut store = Store::default();
        store.apply(large);
        let held = store.get(&key("site")).unwrap();
        assert!(!held.whole && size::of_memory(&held.object) < LARGEST);
        assert_eq!(held.object["spec"], json!({ "state": "Stopped", "replicas": 2 }));
        assert_eq!((&held.object["status"]["phase"], held.version), (&json!("Stopped"), 5));
        let missed = store.subscribe(&key("site"), None).unwrap().missed;
        assert_eq!(missed[0].name, "production.stopped");
    }

    #[test]
    fn a_page_ends_after_a_mebibyte_of_text_and_the_next_one_continues() {
        let mut store = Store::default();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let mut object = object(name, 1);
            object["spec"] = json!({ "text": "x".repeat(200 << 10) });
            store.apply(object);
        }
        let (first, more) = store.page("shops", None, 500, |_| true);
        assert_eq!((first.len(), more), (6, true));
        let (rest, more) = store.page("shops", Some(&key("f")), 500, |_| true);
        assert_eq!((rest.len(), more), (2, false));
    }

    #[test]
    fn the_data_of_kept_changes_is_bounded() {
        let mut store = Store::default();
        for version in 1..=1000 {
            let mut object = object("site", version);
            object["status"] = json!({ "url": "x".repeat(64 << 10) });
            store.apply(object);
        }
        let bytes: usize = store.recent.iter().map(|(_, change)| change.data.len()).sum();
        assert_eq!(bytes, store.recent_bytes);
        assert!(bytes <= KEPT_BYTES && !store.recent.is_empty(), "{bytes}");
    }

    #[test]
    fn a_listener_that_comes_back_gets_each_missed_change_once() {
        let mut store = store(&[("site", 5), ("other", 6)]);
        for (name, version) in [("site", 7), ("other", 8), ("site", 9)] {
            store.apply(object(name, version));
        }
        assert_eq!(missed(&mut store, Some(6)), [7, 9]);
        assert_eq!(missed(&mut store, Some(7)), [9]);
        assert_eq!(missed(&mut store, Some(9)), [0; 0]);
        assert_eq!(missed(&mut store, None), [9], "a new listener gets the project as it is");
    }

    #[test]
    fn after_a_restart_of_the_server_a_listener_gets_the_project_as_it_is_if_it_is_newer() {
        let mut store = store(&[("site", 9), ("other", 20)]);
        assert_eq!(missed(&mut store, Some(7)), [9]);
        assert_eq!(missed(&mut store, Some(9)), [0; 0]);
        store.apply(object("site", 21));
        assert_eq!(missed(&mut store, Some(7)), [21], "what came between is not known one by one");
        assert_eq!(missed(&mut store, Some(20)), [21]);
    }

    #[test]
    fn a_listener_that_is_open_during_a_list_gets_what_is_newer_and_the_end() {
        let mut store = store(&[("site", 5), ("gone", 6)]);
        let mut site = store.subscribe(&key("site"), None).unwrap().coming;
        let mut gone = store.subscribe(&key("gone"), None).unwrap().coming;
        store.list_begins();
        store.list_has(object("site", 9));
        store.list_ends();
        assert_eq!(site.try_recv().unwrap().version, 9);
        assert!(site.try_recv().is_err());
        assert!(gone.try_recv().unwrap().gone);
        assert!(store.get(&key("gone")).is_none());
    }

    #[test]
    fn a_deletion_ends_a_listener_and_a_new_project_of_the_name_starts_anew() {
        let mut store = store(&[("site", 5)]);
        let mut coming = store.subscribe(&key("site"), Some(5)).unwrap().coming;
        store.delete(object("site", 8));
        assert!(coming.try_recv().unwrap().gone);
        assert!(store.subscribe(&key("site"), Some(5)).is_none());
        store.apply(object("site", 9));
        assert_eq!(missed(&mut store, Some(5)).last(), Some(&9));
    }

    #[test]
    fn a_listener_keeps_the_version_that_it_has_seen_and_a_write_is_here_once_its_version_is() {
        let mut store = store(&[("site", 5)]);
        assert_eq!(
            store.subscribe(&key("site"), Some(9)).unwrap().seen,
            Some(9),
            "nothing up to 9 comes again"
        );
        assert!(store.has(&key("site"), 5) && !store.has(&key("site"), 6) && !store.has(&key("other"), 1));
    }

    #[test]
    fn a_listener_that_is_too_far_behind_notices_it() {
        let mut store = store(&[("site", 5)]);
        let mut coming = store.subscribe(&key("site"), Some(5)).unwrap().coming;
        for version in 6..200 {
            store.apply(object("site", version));
        }
        assert!(matches!(coming.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
    }

    #[test]
    fn the_changes_that_are_kept_are_bounded_and_a_listener_from_before_gets_the_project_as_it_is() {
        let mut store = store(&[("site", 1)]);
        let last = u64::try_from(KEPT).unwrap() + 100;
        for version in 2..=last {
            store.apply(object("site", version));
        }
        assert_eq!(store.recent.len(), KEPT);
        assert_eq!(missed(&mut store, Some(5)), [last]);
        assert_eq!(missed(&mut store, Some(last - 2)), [last - 1, last]);
    }

    #[test]
    fn pages_follow_each_other_within_a_namespace() {
        let store = store(&[("a", 1), ("b", 2), ("c", 3)]);
        let names = |page: &[Arc<Held>]| -> Vec<String> {
            page.iter().map(|held| held.object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
        };
        let (first, more) = store.page("shops", None, 2, |_| true);
        assert_eq!((names(&first), more), (vec!["a".to_owned(), "b".to_owned()], true));
        let (second, more) = store.page("shops", Some(&key("b")), 2, |_| true);
        assert_eq!((names(&second), more), (vec!["c".to_owned()], false));
        assert!(store.page("other", None, 2, |_| true).0.is_empty());
    }
}
