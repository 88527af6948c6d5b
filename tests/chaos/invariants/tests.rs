//! Planted histories: each invariant finds its violation, and none in a good life.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{ALL, Evidence};
use crate::call::Call;
use crate::history::{History, Version};
use crate::wire::Asked;

const GOOD: &str = "aaaaaaaa00000000";
const BAD: &str = "bbbbbbbb00000000";

/// A life, version by version.
#[derive(Default)]
struct Tale {
    versions: Vec<Version>,
    asked: Vec<Asked>,
}

impl Tale {
    fn tell(mut self, resource: &str, name: &str, uid: &str, object: Value) -> Self {
        self.versions.push(version(self.versions.len(), resource, name, uid, object, false));
        self
    }

    fn delete(mut self, resource: &str, name: &str) -> Self {
        let last = self.versions.iter().rfind(|there| there.resource == resource && there.name == name);
        let last = last.unwrap().clone();
        self.versions.push(version(self.versions.len(), resource, name, &last.uid, last.object, true));
        self
    }

    fn ask(mut self, method: &Method, path: &str, body: &Value, answer: Value) -> Self {
        let uri = path.parse().unwrap();
        let asked = Asked::new(0, &Call::of(method, &uri), &uri, &Bytes::from(body.to_string()));
        self.asked.push(Asked { sent: true, code: 200, answer, ..asked });
        self
    }

    fn evidence(self) -> Evidence {
        Evidence {
            history: History::new(self.versions),
            asked: self.asked,
            namespace: "n".to_owned(),
            settled: None,
            made: None,
            otherwise: None,
            fell: None,
        }
    }
}

fn version(at: usize, resource: &str, name: &str, uid: &str, mut object: Value, gone: bool) -> Version {
    let labels = json!({ "doce.dev/project": "shop", "doce.dev/uid": "p1", "doce.dev/role": "app" });
    if object["metadata"]["labels"].is_null() {
        object["metadata"]["labels"] = labels;
    }
    object["metadata"]["name"] = json!(name);
    object["metadata"]["uid"] = json!(uid);
    object["metadata"]["resourceVersion"] = json!((at + 1).to_string());
    Version::new(resource, object, gone)
}

fn project(generation: i64, observed: i64, status: &str, reason: &str) -> Value {
    let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": reason, "message": "a sentence", "observedGeneration": observed });
    let mut conditions = vec![condition("Ready", status), condition("Available", "True")];
    if status != "True" {
        conditions.push(condition("Reconciling", "True"));
    }
    json!({
        "metadata": { "generation": generation },
        "spec": { "replicas": 1 },
        "status": { "observedGeneration": observed, "version": "vaaaaaaaa", "conditions": conditions },
    })
}

fn deployment(version: &str, observed: i64) -> Value {
    json!({
        "metadata": { "generation": 1 },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "doce.dev/project": "shop" } }, "template": {
            "metadata": { "annotations": { "doce.dev/version": version } },
            "spec": { "containers": [{ "image": format!("registry.test/app@sha256:{version}") }] },
        } },
        "status": { "observedGeneration": observed, "updatedReplicas": 1, "availableReplicas": 1 },
    })
}

fn record(version: &str) -> Value {
    let image = json!({ "reference": format!("registry.test/app@sha256:{version}") }).to_string();
    json!({ "metadata": { "annotations": { "doce.dev/image": image } }, "data": { "version": version } })
}

fn ledger(text: &Value) -> Value {
    json!({ "metadata": { "annotations": { "doce.dev/ledger": text.to_string() } } })
}

fn pod(version: &str, ready: &str) -> Value {
    json!({
        "metadata": {
            "labels": { "doce.dev/project": "shop", "doce.dev/uid": "p1", "doce.dev/role": "app" },
            "annotations": { "doce.dev/version": version },
        },
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    })
}

fn set(version: &str) -> Value {
    json!({ "spec": { "template": { "metadata": { "annotations": { "doce.dev/version": version } } } } })
}

fn service(uid_of_address: &str) -> Value {
    json!({ "spec": {
        "clusterIP": uid_of_address, "ports": [{ "nodePort": 30100 }],
        "selector": { "doce.dev/project": "shop", "doce.dev/role": "app" },
    } })
}

fn lives() -> Value {
    ledger(&json!({ "versions": { GOOD: { "live": 1 } } }))
}

/// A project that serves its first version.
fn serves() -> Tale {
    Tale::default()
        .tell("projectdeployments", "shop", "p1", project(1, 1, "False", "Starting"))
        .tell("controllerrevisions", "shop-aaaaaaaa", "r1", record(GOOD))
        .tell("services", "shop", "s1", service("10.0.0.1"))
        .tell("deployments", "shop", "d1", deployment(GOOD, 1))
        .tell("replicasets", "shop-1", "rs1", set(GOOD))
        .tell("pods", "shop-1-a", "pod1", pod(GOOD, "True"))
        .tell("controllerrevisions", "shop", "l1", lives())
        .tell("projectdeployments", "shop", "p1", project(1, 1, "True", "Serving"))
}

/// Numbers of the invariants that the tale violates.
fn broken(evidence: &Evidence) -> Vec<u8> {
    let broken = ALL.iter().filter(|invariant| !(invariant.look)(evidence).breaches.is_empty());
    broken.map(|invariant| invariant.number).collect()
}

#[track_caller]
fn breaks(tale: Tale, number: u8) {
    let broken = broken(&tale.evidence());
    assert!(broken.contains(&number), "{number} is not among {broken:?}");
}

#[test]
fn a_good_life_violates_nothing_and_is_checked() {
    let evidence = serves().evidence();
    assert_eq!(broken(&evidence), Vec::<u8>::new());
    let looked: Vec<u8> = ALL
        .iter()
        .filter(|invariant| (invariant.look)(&evidence).checks > 0)
        .map(|invariant| invariant.number)
        .collect();
    assert_eq!(looked, [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 14, 17, 18, 24, 29, 30]);
}

#[test]
fn a_vanished_ready_pod_is_found() {
    breaks(serves().delete("pods", "shop-1-a"), 1);
    breaks(serves().tell("pods", "shop-1-a", "pod1", pod(GOOD, "False")), 1);
    let mut stopped = project(2, 1, "True", "Serving");
    stopped["spec"]["state"] = json!("Stopped");
    let asked_for = serves().tell("projectdeployments", "shop", "p1", stopped).delete("pods", "shop-1-a");
    assert!(!broken(&asked_for.evidence()).contains(&1), "a user stopped it");
}

#[test]
fn a_service_that_selects_only_a_bad_version_is_found() {
    breaks(serves().tell("pods", "shop-2-a", "pod2", pod(BAD, "True")).delete("pods", "shop-1-a"), 2);
}

#[test]
fn a_second_deployment_or_build_of_the_same_project_is_found() {
    breaks(serves().tell("deployments", "shop-two", "d2", deployment(GOOD, 1)), 3);
    let job = || json!({ "metadata": { "annotations": { "doce.dev/build-of": "key/1", "doce.dev/attempt": "0" } } });
    let built = serves().tell("jobs", "shop-1", "j1", job()).delete("jobs", "shop-1");
    breaks(built.tell("jobs", "shop-1", "j2", job()), 3);
}

#[test]
fn a_recreated_or_moved_service_is_found() {
    breaks(serves().delete("services", "shop").tell("services", "shop", "s2", service("10.0.0.1")), 4);
    breaks(serves().tell("services", "shop", "s1", service("10.0.0.2")), 4);
}

#[test]
fn a_recreated_deployment_is_found() {
    breaks(serves().delete("deployments", "shop").tell("deployments", "shop", "d2", deployment(GOOD, 1)), 5);
}

#[test]
fn an_unrecorded_image_is_found() {
    breaks(serves().tell("deployments", "shop", "d1", deployment(BAD, 1)), 6);
    let mut tag = deployment(GOOD, 1);
    tag["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:latest");
    breaks(serves().tell("deployments", "shop", "d1", tag), 6);
}

#[test]
fn a_write_to_another_owners_object_or_namespace_is_found() {
    let of = |uid: &str| json!({ "metadata": { "uid": "x", "ownerReferences": [{ "uid": uid, "controller": true }] } });
    let path = "/apis/apps/v1/namespaces/n/deployments/shop";
    breaks(serves().ask(&Method::PATCH, path, &json!({}), of("p0")), 7);
    assert_eq!(
        broken(&serves().ask(&Method::PATCH, path, &json!({}), of("p1")).evidence()),
        Vec::<u8>::new()
    );
    breaks(serves().ask(&Method::PATCH, "/api/v1/namespaces/m/services/shop", &json!({}), of("p1")), 8);
}

#[test]
fn ready_for_another_generation_or_an_unavailable_deployment_is_found() {
    breaks(serves().tell("projectdeployments", "shop", "p1", project(2, 1, "True", "Held")), 9);
    breaks(serves().tell("projectdeployments", "shop", "p1", project(2, 0, "False", "Starting")), 9);
    let early = serves().tell("deployments", "shop", "d1", deployment(GOOD, 0));
    breaks(early.tell("projectdeployments", "shop", "p1", project(1, 1, "True", "Held")), 9);
}

#[test]
fn ready_with_the_previous_version_is_found() {
    let moved = serves().tell("deployments", "shop", "d1", deployment(BAD, 1));
    breaks(moved.tell("projectdeployments", "shop", "p1", project(1, 1, "True", "Held")), 10);
}

#[test]
fn a_rollback_to_a_failed_version_and_a_scale_to_zero_are_found() {
    let hold = json!({ "versions": { GOOD: { "live": 1 }, BAD: { "live": 2, "failed": {} } }, "hold": { "target": BAD } });
    breaks(serves().tell("controllerrevisions", "shop", "l1", ledger(&hold)), 11);
    let mut nothing = deployment(GOOD, 1);
    nothing["spec"]["replicas"] = json!(0);
    breaks(serves().tell("deployments", "shop", "d1", nothing), 11);
}

#[test]
fn a_third_replica_set_and_a_deleted_kept_one_are_found() {
    let three = serves().tell("replicasets", "shop-2", "rs2", set(BAD)).tell(
        "replicasets",
        "shop-3",
        "rs3",
        set("c"),
    );
    breaks(three, 12);
    let moved = serves().tell("controllerrevisions", "shop-bbbbbbbb", "r2", record(BAD));
    let moved = moved.tell("deployments", "shop", "d1", deployment(BAD, 1));
    breaks(moved.delete("replicasets", "shop-1"), 12);
}

#[test]
fn a_large_object_and_a_message_with_control_characters_are_found() {
    breaks(
        serves().tell("services", "other", "s9", json!({ "spec": { "text": "x".repeat(17 * 1024) } })),
        14,
    );
    let mut dirty = project(1, 1, "True", "Serving");
    dirty["status"]["conditions"][0]["message"] = json!("bell \u{7}");
    breaks(serves().tell("projectdeployments", "shop", "p1", dirty), 14);
}

#[test]
fn a_repeated_write_is_found() {
    let path = "/apis/apps/v1/namespaces/n/deployments/shop";
    let written = |number: usize| {
        (0..number).fold(serves(), |tale, _| tale.ask(&Method::PATCH, path, &json!({ "a": 1 }), Value::Null))
    };
    assert!(!broken(&written(3).evidence()).contains(&16));
    breaks(written(4), 16);
}

#[test]
fn an_unsettled_or_different_end_and_extra_objects_are_found() {
    breaks(serves().tell("projectdeployments", "shop", "p1", project(1, 1, "False", "Starting")), 17);
    let mut evidence = serves().evidence();
    evidence.otherwise = Some("it ended differently".to_owned());
    assert_eq!(broken(&evidence), [18]);
    let mut evidence = serves().evidence();
    evidence.made = Some(serves().evidence().history.made("shop"));
    assert_eq!(broken(&evidence), Vec::<u8>::new());
    evidence.made.as_mut().unwrap().insert("pods".to_owned(), 2);
    assert_eq!(broken(&evidence), [19]);
}

#[test]
fn a_child_that_outlives_its_project_is_found() {
    let deleted = || serves().delete("projectdeployments", "shop").delete("pods", "shop-1-a");
    breaks(deleted(), 20);
    let all = ["deployments", "services", "controllerrevisions"];
    let whole = all.into_iter().fold(deleted(), |tale, resource| tale.delete(resource, "shop"));
    let whole = whole.delete("replicasets", "shop-1").delete("controllerrevisions", "shop-aaaaaaaa");
    let first_write = Tale { versions: whole.versions.clone(), asked: vec![] };
    assert!(!broken(&whole.evidence()).contains(&20));
    let late = first_write.tell("jobs", "shop-9", "j9", json!({})).delete("jobs", "shop-9");
    let again = Tale { versions: late.versions.clone(), asked: vec![] };
    assert!(!broken(&late.evidence()).contains(&20), "it was in flight");
    breaks(again.tell("jobs", "shop-9", "j8", json!({})).delete("jobs", "shop-9"), 20);
}

#[test]
fn a_child_inherited_from_a_deleted_project_is_found() {
    let again = serves().delete("projectdeployments", "shop");
    breaks(again.tell("projectdeployments", "shop", "p2", project(1, -1, "Unknown", "Unseen")), 21);
}

#[test]
fn a_failed_build_that_changes_the_deployment_is_found() {
    let moved = serves().tell("deployments", "shop", "d1", deployment(BAD, 1));
    breaks(moved.tell("projectdeployments", "shop", "p1", project(2, 2, "False", "BuildFailed")), 22);
}

#[test]
fn a_fixed_spec_that_does_not_serve_is_found() {
    let verdict = ledger(&json!({ "versions": { GOOD: { "live": 1 }, BAD: { "failed": {} } } }));
    let failed = serves().tell("controllerrevisions", "shop", "l1", verdict);
    breaks(failed.tell("projectdeployments", "shop", "p1", project(2, 2, "False", "Starting")), 23);
}

#[test]
fn a_version_that_returns_with_another_template_is_found() {
    let mut other = deployment(GOOD, 1);
    other["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(1);
    breaks(serves().tell("deployments", "shop", "d1", other), 24);
}

/// The Job that deletes the image of this version, started or suspended.
fn cleanup(version: &str, suspend: bool) -> Value {
    let order = json!({ "digest": format!("sha256:{version}") }).to_string();
    let env = json!([{ "name": "DOCE_CLEANUP", "value": order }]);
    let labels = json!({ "doce.dev/project": "shop", "doce.dev/uid": "p1", "doce.dev/role": "cleanup" });
    let spec = json!({ "suspend": suspend, "template": { "spec": { "containers": [{ "env": env }] } } });
    json!({ "metadata": { "labels": labels }, "spec": spec })
}

#[test]
fn the_deletion_of_an_image_that_a_record_names_is_found() {
    let waits = || serves().tell("jobs", "shop-9", "j9", cleanup(GOOD, true));
    assert_eq!(broken(&waits().evidence()), Vec::<u8>::new());
    breaks(waits().tell("jobs", "shop-9", "j9", cleanup(GOOD, false)), 31);
    let other = || waits().tell("jobs", "shop-8", "j8", cleanup(BAD, false));
    assert!(!broken(&other().evidence()).contains(&31));
    breaks(other().tell("controllerrevisions", "shop-bbbbbbbb", "r2", record(BAD)), 31);
}

#[test]
fn a_write_after_the_project_settled_is_found() {
    let path = "/apis/doce.dev/v1alpha1/namespaces/n/projectdeployments/shop/status";
    let mut evidence = serves().ask(&Method::PUT, path, &json!({}), Value::Null).evidence();
    evidence.settled = Some(1);
    assert_eq!(broken(&evidence), Vec::<u8>::new());
    evidence.settled = Some(0);
    assert_eq!(broken(&evidence), [25]);
}

#[test]
fn an_unknown_reason_and_a_state_without_a_next_step_are_found() {
    breaks(serves().tell("projectdeployments", "shop", "p1", project(1, 1, "True", "Whatever")), 29);
    let mut nobody = project(1, 1, "False", "Starting");
    nobody["status"]["conditions"].as_array_mut().unwrap().pop();
    breaks(serves().tell("projectdeployments", "shop", "p1", nobody), 29);
}

#[test]
fn a_panic_is_found() {
    let mut evidence = serves().evidence();
    evidence.fell = Some("panicked at src/…".to_owned());
    assert_eq!(broken(&evidence), [30]);
}
