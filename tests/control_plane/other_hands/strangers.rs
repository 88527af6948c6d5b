//! The operator rejects and reports an object of another owner with a child's name, and never adopts it.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use doce_operator::version::short;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::{Kind, Operator, World, condition, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deployment_without_an_owner_is_rejected_until_it_is_deleted() {
    refused_until_gone::<Deployment>("stranger-deployment", "shop", deployment(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deployment_of_another_owner_is_rejected_until_it_is_deleted() {
    refused_until_gone::<Deployment>("owned-deployment", "shop", deployment(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deployment_of_another_owner_with_our_labels_is_rejected_until_it_is_deleted() {
    let mut stranger = deployment();
    stranger["metadata"] = json!({ "labels": { names::PROJECT: "shop", names::ROLE: "app" } });
    refused_until_gone::<Deployment>("labelled-deployment", "shop", stranger, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_service_without_an_owner_is_rejected_until_it_is_deleted() {
    refused_until_gone::<Service>(
        "stranger-service",
        "shop",
        json!({ "spec": { "ports": [{ "port": 80 }] } }),
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_service_of_another_owner_is_rejected_until_it_is_deleted() {
    refused_until_gone::<Service>(
        "owned-service",
        "shop",
        json!({ "spec": { "ports": [{ "port": 80 }] } }),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_foreign_object_with_the_ledgers_name_is_rejected_until_it_is_deleted() {
    refused_until_gone::<ControllerRevision>(
        "stranger-ledger",
        "shop",
        json!({ "revision": 7, "data": { "theirs": true } }),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_foreign_object_with_a_records_name_is_rejected_until_it_is_deleted() {
    let name = names::record("shop", &version_of_first_image().await);
    refused_until_gone::<ControllerRevision>(
        "stranger-record",
        &name,
        json!({ "revision": 7, "data": { "theirs": true } }),
        false,
    )
    .await;
}

/// Versions do not depend on the namespace.
async fn version_of_first_image() -> String {
    let world = World::new("version-of-image").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    let version = object.status.unwrap().version.unwrap();
    let deployment = world.get::<Deployment>("shop").await;
    let whole =
        deployment.spec.unwrap().template.metadata.unwrap().annotations.unwrap()[names::VERSION].clone();
    assert_eq!(short(&whole), version);
    whole
}

async fn refused_until_gone<K: Kind>(test: &str, name: &str, mut stranger: Value, owned: bool) {
    let world = World::new(test).await;
    stranger["metadata"]["name"] = json!(name);
    if owned {
        stranger["metadata"]["ownerReferences"] = json!([world.other_owner().await]);
    }
    let stranger: K =
        world.api().create(&PostParams::default(), &serde_json::from_value(stranger).unwrap()).await.unwrap();
    let operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let object = world.until_ready("shop", "False", "NameTaken").await;
    says_what_to_do::<K>(&object, name, if owned { "owner: ConfigMap somebody" } else { "owner: none" });
    operator.journal.at_rest().await;
    let there = world.get::<K>(name).await;
    assert_eq!(own_part(&there), own_part(&stranger), "it was changed");
    world.delete::<K>(name).await;
    world.until_ready("shop", "True", "Serving").await;
    assert!(world.picture("shop").await.ports_agree);
    assert!(operator.journal.writes().len() < 40, "too many writes: {:#?}", operator.journal.writes());
}

fn says_what_to_do<K: Kind>(object: &ProjectDeployment, name: &str, owner: &str) {
    assert!(is(object, "Stalled", "True", "NameTaken"), "{object:#?}");
    assert!(condition(object, "Reconciling").is_none());
    let message = condition(object, "Ready").unwrap().message;
    let delete = format!("kubectl delete {} {name}", K::plural(&()));
    for words in [&format!("{} {name}", K::kind(&())), owner, &delete, "another name"] {
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
}

/// The object without what Kubernetes controllers write.
fn own_part<K: Kind>(object: &K) -> Value {
    let whole = serde_json::to_value(object).unwrap();
    let annotations: Vec<String> =
        object.annotations().keys().filter(|key| !key.contains("kubernetes.io")).cloned().collect();
    json!({ "spec": whole["spec"], "labels": object.labels(), "owners": object.owner_references(), "annotations": annotations, "uid": object.uid() })
}

fn deployment() -> Value {
    json!({ "spec": {
        "replicas": 0,
        "selector": { "matchLabels": { "app": "other" } },
        "template": { "metadata": { "labels": { "app": "other" } }, "spec": { "containers": [{ "name": "other", "image": "registry.test/other:1" }] } },
    }})
}

impl World {
    async fn other_owner(&self) -> Value {
        let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "somebody" } })).unwrap();
        let map = self.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": map.uid(), "controller": true })
    }
}
