//! Facts read from a Deployment while Kubernetes is between two states.

use doce_operator::crd::ProjectDeployment;
use doce_operator::project::Project;
use doce_operator::reconcile::facts::pod::Looked;
use doce_operator::reconcile::facts::rollout::rollout;
use doce_operator::reconcile::observed::Rollout;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use serde_json::{Value, json};
use std::sync::Arc;

fn template(version: &str, hash: Option<&str>) -> Value {
    let mut labels = json!({ "doce.dev/project": "shop" });
    if let Some(hash) = hash {
        labels["pod-template-hash"] = json!(hash);
    }
    json!({
        "metadata": { "labels": labels, "annotations": { "doce.dev/version": version } },
        "spec": { "containers": [{ "name": "app", "image": version }] },
    })
}

fn set(name: &str, version: &str) -> Arc<ReplicaSet> {
    let metadata = json!({ "name": name, "annotations": { "deployment.kubernetes.io/revision": "2" } });
    let spec = json!({ "selector": {}, "template": template(version, Some("abc")) });
    Arc::new(serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap())
}

fn completed(in_place: &str) -> bool {
    read(in_place, &json!({}), &set("shop-old", "old")).completed
}

/// The rollout of a Deployment with this status, whose pods belong to this ReplicaSet.
fn read(in_place: &str, status: &Value, set: &Arc<ReplicaSet>) -> Rollout {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "n", "uid": "u" }, "spec": { "source": { "configMap": { "name": "site" } } },
    });
    let project = Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap();
    let condition = json!({
        "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
        "message": "ReplicaSet \"shop-old\" has successfully progressed.",
    });
    let mut status = status.clone();
    status["observedGeneration"] = json!(3);
    status["conditions"] = json!([condition]);
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": { "name": "shop", "generation": 3, "annotations": { "deployment.kubernetes.io/revision": "2" } },
        "spec": { "replicas": 1, "selector": {}, "template": template(in_place, None) },
        "status": status,
    }))
    .unwrap();
    let probe_events = std::collections::BTreeMap::new();
    let looked = Looked { now: jiff::Timestamp::UNIX_EPOCH, probe_events: &probe_events };
    rollout(&project, &deployment, None, std::slice::from_ref(set), &[], looked)
}

#[test]
fn a_deployment_is_available_only_if_its_replica_set_says_so_too() {
    let available = json!({ "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
    let counts = |number: i32| {
        let mut set = ReplicaSet::clone(&set("shop-old", "old"));
        set.status =
            Some(serde_json::from_value(json!({ "replicas": 1, "availableReplicas": number })).unwrap());
        Arc::new(set)
    };
    assert!(read("old", &available, &counts(1)).available);
    assert!(!read("old", &available, &counts(0)).available, "an operator may start with an old Deployment");
}

#[test]
fn conditions_of_the_previous_replica_set_do_not_complete_a_new_version() {
    assert!(completed("old"));
    assert!(!completed("new"), "the old pods are terminating, and the revision is still theirs");
}
