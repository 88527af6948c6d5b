//! Facts read from a Deployment while Kubernetes is between two states.

use doce_operator::crd::ProjectDeployment;
use doce_operator::project::Project;
use doce_operator::reconcile::facts::pod::Looked;
use doce_operator::reconcile::facts::rollout::rollout;
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
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "n", "uid": "u" }, "spec": { "source": { "configMap": { "name": "site" } } },
    });
    let project = Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap();
    let condition = json!({
        "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
        "message": "ReplicaSet \"shop-old\" has successfully progressed.",
    });
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": { "name": "shop", "generation": 3, "annotations": { "deployment.kubernetes.io/revision": "2" } },
        "spec": { "replicas": 1, "selector": {}, "template": template(in_place, None) },
        "status": { "observedGeneration": 3, "conditions": [condition] },
    }))
    .unwrap();
    let probe_events = std::collections::BTreeMap::new();
    let looked = Looked { now: jiff::Timestamp::UNIX_EPOCH, probe_events: &probe_events };
    rollout(&project, &deployment, None, &[set("shop-old", "old")], &[], looked).completed
}

#[test]
fn conditions_of_the_previous_replica_set_do_not_complete_a_new_version() {
    assert!(completed("old"));
    assert!(!completed("new"), "the old pods are terminating, and the revision is still theirs");
}
