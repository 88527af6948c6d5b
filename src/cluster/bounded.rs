//! What the caches keep of an object at most. Everyone who may create objects in a namespace can label any of them as ours, and
//! make it as large as the API server accepts. Of a stranger, and of a child that is far larger than ours are, the caches
//! keep only bounded metadata and a few numbers (docs/decisions/0065).

use std::collections::BTreeMap;
use std::io::{self, Write};

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Event, Pod, Service, ServiceSpec};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;

use crate::crd::{GROUP, ProjectDeployment};
use crate::desired::names;

/// Most bytes of JSON of a child that is kept whole. Ours have less than 64 KiB, unless their project is older than the bounds
/// of the spec.
const LARGEST: usize = 256 << 10;

/// The same for an object without owner. It may be a child whose project was deleted with `--cascade=orphan`.
const LARGEST_ORPHAN: usize = 64 << 10;

/// Most bytes of the labels of a child or a project, and of its annotations and owners, ours not counted.
const METADATA: usize = 64 << 10;

/// The same for a stranger, and for a pod.
const METADATA_OF_STRANGER: usize = 4 << 10;

/// Longest value of an annotation, in bytes, unless the operator wrote it to a child. The operator does not copy longer ones.
const LONGEST: usize = 4096;

/// What an entry of a map costs besides its text.
const ENTRY: usize = 64;

/// Ports of a Service that are kept: one of them is ours.
const PORTS: usize = 16;

/// Finalizers that are kept. Their names are short.
const FINALIZERS: usize = 8;

/// A kind of child, with what is kept of a stranger.
pub(super) trait Bounded: Resource<DynamicType = ()> + Serialize {
    /// Kind of the controller of a child, which has the name of the project.
    const OWNER: &str = "ProjectDeployment";

    /// Only the object with the name of the project is a child.
    const NAMED_LIKE_PROJECT: bool = false;

    /// Removes everything but the metadata and what is small.
    fn reduce(&mut self);
}

impl Bounded for ControllerRevision {
    fn reduce(&mut self) {
        self.data = None;
    }
}

impl Bounded for Deployment {
    const NAMED_LIKE_PROJECT: bool = true;

    fn reduce(&mut self) {
        (self.spec, self.status) = (None, None);
    }
}

impl Bounded for ReplicaSet {
    const OWNER: &str = "Deployment";

    fn reduce(&mut self) {
        if let Some(spec) = self.spec.as_mut() {
            spec.template = None;
            spec.selector = LabelSelector::default();
        }
        if let Some(status) = self.status.as_mut() {
            status.conditions = None;
        }
    }
}

impl Bounded for Service {
    const NAMED_LIKE_PROJECT: bool = true;

    fn reduce(&mut self) {
        // Its node port is in use, also if the Service is not ours.
        let mut ports = self.spec.take().and_then(|spec| spec.ports).unwrap_or_default();
        ports.truncate(PORTS);
        self.spec = Some(ServiceSpec { ports: Some(ports), ..ServiceSpec::default() });
        self.status = None;
    }
}

impl Bounded for NetworkPolicy {
    const NAMED_LIKE_PROJECT: bool = true;

    fn reduce(&mut self) {
        self.spec = None;
    }
}

impl Bounded for Job {
    fn reduce(&mut self) {
        let suspend = self.spec.take().and_then(|spec| spec.suspend);
        self.spec = Some(JobSpec { suspend, ..JobSpec::default() });
    }
}

/// Watches leave out its spec, and nothing reads more than a few labels of it. Its controller is a ReplicaSet or a Job, whose
/// name is not the project's: the size decides.
impl Bounded for Pod {
    const OWNER: &str = "";

    fn reduce(&mut self) {
        self.status = None;
    }
}

/// Events of kubelets. Nothing keeps them.
impl Bounded for Event {
    fn reduce(&mut self) {}
}

/// The object as the caches keep it.
pub(super) fn bounded<K: Bounded>(mut object: K) -> K {
    let largest = largest(&object);
    if largest > 0 && !K::OWNER.is_empty() {
        bound_metadata(object.meta_mut(), METADATA, true);
    } else {
        bound_metadata(object.meta_mut(), METADATA_OF_STRANGER, false);
    }
    if largest == 0 || is_larger(&object, largest) {
        object.reduce();
        bound_metadata(object.meta_mut(), METADATA_OF_STRANGER, false);
    }
    object
}

/// The answer to a write of ours: its content is used, so only its metadata is bounded. The event of the write follows.
pub(super) fn answered<K: Bounded>(mut object: K) -> K {
    bound_metadata(object.meta_mut(), METADATA, true);
    object
}

/// Most bytes of this object, 0 if it cannot be a child.
fn largest<K: Bounded>(object: &K) -> usize {
    if K::OWNER.is_empty() {
        return LARGEST_ORPHAN; // Builder pods belong to no project.
    }
    let labels = object.labels();
    let Some(project) = labels.get(names::PROJECT) else { return 0 };
    if K::NAMED_LIKE_PROJECT && object.meta().name.as_ref() != Some(project) {
        return 0;
    }
    match object.owner_references().iter().find(|owner| owner.controller == Some(true)) {
        Some(owner) if owner.kind == K::OWNER && owner.name == *project => LARGEST,
        // The owner of a child may have been removed. The operator restores it.
        None if labels.contains_key(names::UID) => LARGEST_ORPHAN,
        Some(_) | None => 0,
    }
}

/// Bounds the metadata of a project. Of requests, only the first bytes count.
pub(super) fn bound_project(object: &mut ProjectDeployment) {
    for (key, value) in object.metadata.annotations.iter_mut().flatten() {
        if is_ours(key) && value.len() > LONGEST {
            value.truncate(value.floor_char_boundary(LONGEST));
        }
    }
    let metadata = &mut object.metadata;
    if let Some(annotations) = metadata.annotations.as_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    bound_metadata(metadata, METADATA, false);
}

/// Leaves out what nothing reads, and what is beyond the bounds. What the operator wrote to a child stays.
fn bound_metadata(metadata: &mut ObjectMeta, most: usize, is_child: bool) {
    (metadata.generate_name, metadata.self_link) = (None, None);
    if let Some(finalizers) = metadata.finalizers.as_mut() {
        finalizers.truncate(FINALIZERS);
    }
    if let Some(annotations) = metadata.annotations.as_mut() {
        // The API server bounds annotations in total, and the ledger of a long history is long.
        let is_read = |key: &str| is_child && key.split('/').next() == Some(GROUP);
        annotations.retain(|key, value| value.len() <= LONGEST || is_read(key));
        keep_first(annotations, most, is_read);
    }
    if let Some(labels) = metadata.labels.as_mut() {
        keep_first(labels, most, |key| {
            [names::PROJECT, names::UID, names::ROLE, names::MANAGED_BY].contains(&key)
        });
    }
    if let Some(owners) = metadata.owner_references.as_mut() {
        owners.sort_by_key(|owner| owner.controller != Some(true)); // Stable: only the controller moves.
        let mut room = most;
        owners.retain(|owner| {
            let bytes = owner.name.len() + owner.kind.len() + owner.api_version.len() + owner.uid.len();
            take(&mut room, ENTRY + bytes)
        });
    }
}

/// Keeps the entries that are read, then those that the operator and Kubernetes set, then others in the order of their keys.
fn keep_first(entries: &mut BTreeMap<String, String>, most: usize, is_read: impl Fn(&str) -> bool) {
    let (mut ours, mut others) = (most, most);
    entries.retain(|key, value| {
        let room = if is_ours(key) { &mut ours } else { &mut others };
        is_read(key) || take(room, ENTRY + key.len() + value.len())
    });
}

/// Keys that the operator and Kubernetes set.
fn is_ours(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    prefix == GROUP || prefix.ends_with("kubernetes.io")
}

/// Takes from the room, if there is enough.
fn take(room: &mut usize, bytes: usize) -> bool {
    let left = room.checked_sub(bytes);
    *room = left.unwrap_or(*room);
    left.is_some()
}

fn is_larger<K: Serialize>(object: &K, bytes: usize) -> bool {
    serde_json::to_writer(Room(bytes), object).is_err()
}

/// Accepts this many bytes.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if take(&mut self.0, bytes.len()) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    /// Most bytes of JSON that are kept of a stranger.
    const STRANGER: usize = 6 * METADATA_OF_STRANGER;

    fn labels() -> Value {
        json!({ names::PROJECT: "shop", names::UID: "u", names::MANAGED_BY: names::MANAGER, names::ROLE: "app" })
    }

    fn owner(kind: &str, name: &str) -> Value {
        json!([{ "apiVersion": "doce.dev/v1alpha1", "kind": kind, "name": name, "uid": "u", "controller": true }])
    }

    /// What is kept of an object with this metadata and an environment variable of this size.
    fn kept<K: Bounded + DeserializeOwned>(metadata: &Value, size: usize) -> K {
        let pod =
            json!({ "containers": [{ "name": "app", "env": [{ "name": "A", "value": "x".repeat(size) }] }] });
        let object = json!({
            "metadata": metadata, "revision": 1, "data": { "text": "x".repeat(size) },
            "spec": { "replicas": 3, "suspend": true, "selector": {}, "template": { "spec": pod } },
        });
        bounded(serde_json::from_value(object).unwrap())
    }

    fn bytes<K: Serialize>(object: &K) -> usize {
        serde_json::to_vec(object).unwrap().len()
    }

    #[test]
    fn of_a_labelled_stranger_only_metadata_is_kept() {
        let label = json!({ "name": "shop", "labels": { names::PROJECT: "shop" } });
        let others =
            json!({ "name": "shop", "labels": labels(), "ownerReferences": owner("CronJob", "shop") });
        let named = json!({ "name": "else", "labels": labels(), "ownerReferences": owner("ProjectDeployment", "shop") });
        for metadata in [&label, &others] {
            assert!(bytes(&kept::<ControllerRevision>(metadata, 1000)) < 900);
            assert!(bytes(&kept::<Deployment>(metadata, 1000)) < 900);
            assert!(bytes(&kept::<ReplicaSet>(metadata, 1000)) < 900);
            let job = kept::<Job>(metadata, 1000);
            assert!(bytes(&job) < 900);
            assert_eq!(job.spec.unwrap().suspend, Some(true));
        }
        assert!(bytes(&kept::<Deployment>(&named, 1000)) < 900, "the Deployment of a project has its name");
        assert_eq!(kept::<ReplicaSet>(&label, 1000).spec.unwrap().replicas, Some(3));
    }

    #[test]
    fn a_child_is_kept_whole_unless_it_is_far_larger_than_ours_are() {
        let child = json!({ "name": "shop", "labels": labels(), "ownerReferences": owner("ProjectDeployment", "shop") });
        let set =
            json!({ "name": "shop-1", "labels": labels(), "ownerReferences": owner("Deployment", "shop") });
        let orphan = json!({ "name": "shop", "labels": labels() });
        let whole = |metadata: &Value, size| {
            [
                bytes(&kept::<ControllerRevision>(metadata, size)) > size,
                bytes(&kept::<Deployment>(metadata, size)) > size,
                bytes(&kept::<Job>(metadata, size)) > size,
            ]
        };
        assert_eq!((whole(&child, 200_000), whole(&child, 300_000)), ([true; 3], [false; 3]));
        assert_eq!((whole(&orphan, 60_000), whole(&orphan, 70_000)), ([true; 3], [false; 3]));
        let sets = [200_000, 300_000].map(|size| bytes(&kept::<ReplicaSet>(&set, size)) > size);
        assert_eq!(sets, [true, false]);
    }

    #[test]
    fn the_metadata_of_a_stranger_is_bounded_and_the_labels_that_count_stay() {
        let mut many = labels();
        let mut notes = json!({ names::LEDGER: "x".repeat(200_000), "note": "short" });
        for number in 0..10_000 {
            many[format!("a{number}")] = json!("b".repeat(63));
            notes[format!("a{number}")] = json!("b");
            notes[format!("doce.dev/a{number}")] = json!("b");
        }
        let stranger = json!({
            "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z", "name": "shop-1",
            "ownerReferences": vec![owner("X", &"x".repeat(200))[0].clone(); 5000],
            "labels": many, "annotations": notes, "finalizers": vec!["a.example/b"; 5000],
        });
        let job = kept::<Job>(&stranger, 0);
        assert!(bytes(&job) < STRANGER, "{}", bytes(&job));
        for (key, value) in labels().as_object().unwrap() {
            assert_eq!(job.labels().get(key).map(String::as_str), value.as_str());
        }
        assert!(job.metadata.deletion_timestamp.is_some() && !job.owner_references().is_empty());
        assert!(!job.annotations().contains_key(names::LEDGER));
        assert!(bytes(&kept::<Pod>(&stranger, 0)) < STRANGER);
    }

    #[test]
    fn a_builder_pod_keeps_its_status_though_it_belongs_to_no_project() {
        let pod = json!({
            "metadata": { "name": "builder-1", "labels": { names::ROLE: names::ROLE_BUILDER, names::BUILD_UID: "u" } },
            "status": { "phase": "Pending" },
        });
        let pod: Pod = bounded(serde_json::from_value(pod).unwrap());
        assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Pending"));
    }

    #[test]
    fn the_ledger_of_a_child_stays_and_so_do_requests_and_short_annotations_of_a_project() {
        let child = json!({
            "name": "shop", "labels": labels(), "ownerReferences": owner("ProjectDeployment", "shop"),
            "annotations": { names::LEDGER: "x".repeat(40_000) },
        });
        assert_eq!(kept::<ControllerRevision>(&child, 1).annotations()[names::LEDGER].len(), 40_000);
        let mut project: ProjectDeployment = serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "annotations": {
                "doce.dev/deploy": format!("@{}", "ü".repeat(100_000)), "note": "short", "essay": "x".repeat(100_000),
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            }},
            "spec": { "source": { "configMap": { "name": "site" } } },
        }))
        .unwrap();
        bound_project(&mut project);
        assert!(project.annotations()["doce.dev/deploy"].starts_with("@üü"));
        assert_eq!(project.annotations()["note"], "short");
        assert_eq!(project.annotations().len(), 2);
    }
}
