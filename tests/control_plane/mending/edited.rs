//! The operator restores every edited child and leaves fields alone that others add.

use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::{Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::{two_versions, writes_to_shop};
use crate::harness::stories;
use crate::harness::{Kind, Operator, World};

/// Edits a child and waits until every field that the operator sets has its old value.
async fn put_right<K: Kind>(test: &str, edit: Value) {
    let (world, _operator, picture) = two_versions(test).await;
    let pods = world.pod_uids().await;
    let before = plain(&world.get::<K>("shop").await);
    let edited = world.edit::<K>("shop", edit).await;
    assert_ne!(plain(&edited), before, "the edit changes nothing");
    let what = format!("{} is restored", K::kind(&()));
    let expected = before.clone();
    world
        .until::<K>("shop", &what, move |there: Option<&K>| {
            there.is_some_and(|there| plain(there) == expected)
        })
        .await;
    world.until_picture("shop", &picture, &format!("{} edited", K::kind(&()))).await;
    assert_eq!(world.pod_uids().await.len(), pods.len());
}

/// Labels, owners and spec.
fn plain<K: Kind>(object: &K) -> Value {
    let whole = serde_json::to_value(object).unwrap();
    json!({ "labels": whole["metadata"]["labels"], "owners": whole["metadata"]["ownerReferences"], "spec": whole["spec"] })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_image_is_restored_and_leaves_no_replica_set() {
    let app = json!({ "name": "app", "image": "registry.test/evil:1" });
    put_right::<Deployment>(
        "edit-image",
        json!({ "spec": { "template": { "spec": { "containers": [app] } } } }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_added_variable_is_removed() {
    let app = json!({ "name": "app", "env": [{ "name": "PORT", "value": "1" }] });
    put_right::<Deployment>(
        "edit-env",
        json!({ "spec": { "template": { "spec": { "containers": [app] } } } }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn edited_replicas_are_restored() {
    put_right::<Deployment>("edit-replicas", json!({ "spec": { "replicas": 3 } })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_paused_deployment_is_resumed() {
    put_right::<Deployment>("edit-paused", json!({ "spec": { "paused": true } })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_strategy_is_restored() {
    let rolling = json!({ "maxSurge": 0, "maxUnavailable": 1 });
    put_right::<Deployment>("edit-strategy", json!({ "spec": { "strategy": { "rollingUpdate": rolling } } }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn removed_labels_of_the_deployment_are_restored() {
    put_right::<Deployment>(
        "edit-labels",
        json!({ "metadata": { "labels": { names::PROJECT: null, names::UID: null } } }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn removed_owners_of_the_deployment_are_restored() {
    put_right::<Deployment>("edit-owner", json!({ "metadata": { "ownerReferences": null } })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_selector_of_the_service_is_restored() {
    put_right::<Service>("edit-selector", json!({ "spec": { "selector": { names::PROJECT: "other" } } }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_target_port_of_the_service_is_restored() {
    put_right::<Service>("edit-target", json!({ "spec": { "ports": [{ "port": 80, "targetPort": 9999 }] } }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_node_port_of_the_service_is_restored() {
    put_right::<Service>(
        "edit-node-port",
        json!({ "spec": { "ports": [{ "port": 80, "nodePort": 32767 }] } }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn removed_labels_and_owners_of_the_service_are_restored() {
    put_right::<Service>(
        "edit-service",
        json!({ "metadata": { "ownerReferences": null, "labels": { names::ROLE: null } } }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn removed_owners_of_ledger_records_and_jobs_are_restored() {
    let world = World::new("edit-memory").await;
    let _operator = Operator::start(&world).await;
    (stories::FIRST_DEPLOY.then)(&world).await;
    for revision in world.children::<ControllerRevision>("shop").await {
        owner_comes_back(&world, &revision).await;
    }
    for job in world.children::<Job>("shop").await {
        owner_comes_back(&world, &job).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn removed_labels_of_ledger_records_and_jobs_are_restored_without_a_build() {
    let world = World::new("unlabel-memory").await;
    let operator = Operator::start(&world).await;
    (stories::FIRST_DEPLOY.then)(&world).await;
    let picture = world.picture("shop").await;
    for revision in world.children::<ControllerRevision>("shop").await {
        labels_come_back(&world, &revision).await;
    }
    for job in world.children::<Job>("shop").await {
        world.patch::<Job>(&job.name_any(), json!({ "metadata": { "labels": { names::ROLE: null } } })).await;
        world
            .until::<Job>(&job.name_any(), "its label is restored", |there: Option<&Job>| {
                there.is_some_and(|there| there.labels().contains_key(names::ROLE))
            })
            .await;
    }
    world.until_picture("shop", &picture, "labels taken off").await;
    let made = operator
        .journal
        .writes()
        .into_iter()
        .filter(|write| write.method == "POST" && write.path.ends_with("/jobs"))
        .count();
    assert_eq!(made, 1);
}

async fn labels_come_back<K: Kind>(world: &World, object: &K) {
    let labels = object.labels().clone();
    let none: serde_json::Map<String, Value> = labels.keys().map(|key| (key.clone(), Value::Null)).collect();
    world.patch::<K>(&object.name_any(), json!({ "metadata": { "labels": none } })).await;
    world
        .until::<K>(&object.name_any(), "its labels are restored", move |there: Option<&K>| {
            there.is_some_and(|there| *there.labels() == labels)
        })
        .await;
}

async fn owner_comes_back<K: Kind>(world: &World, object: &K) {
    let owners = object.owner_references().to_vec();
    assert_eq!(owners.len(), 1);
    world.patch::<K>(&object.name_any(), json!({ "metadata": { "ownerReferences": null } })).await;
    world
        .until::<K>(&object.name_any(), "its owner is restored", move |there: Option<&K>| {
            there.is_some_and(|there| there.owner_references() == owners)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_removed_image_of_a_record_is_restored() {
    let (world, _operator, picture) = two_versions("edit-record").await;
    let name = names::record("shop", picture.deployment["version"].as_str().unwrap());
    let image = world.get::<ControllerRevision>(&name).await.annotations()[names::IMAGE].clone();
    world
        .patch::<ControllerRevision>(&name, json!({ "metadata": { "annotations": { names::IMAGE: null } } }))
        .await;
    let back = move |there: Option<&ControllerRevision>| {
        there.is_some_and(|there| there.annotations().get(names::IMAGE) == Some(&image))
    };
    world.until::<ControllerRevision>(&name, "its image is restored", back).await;
    world.until_picture("shop", &picture, "image of a record removed").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unreadable_ledger_is_rebuilt() {
    let (world, _operator, before) = two_versions("edit-ledger").await;
    let (port, pods) = (world.node_port("shop").await, world.pod_uids().await);
    world
        .patch::<ControllerRevision>(
            "shop",
            json!({ "metadata": { "annotations": { names::LEDGER: "{broken" } } }),
        )
        .await;
    let readable = |there: Option<&ControllerRevision>| {
        there.is_some_and(|there| there.annotations()[names::LEDGER] != "{broken")
    };
    world.until::<ControllerRevision>("shop", "it can be read", readable).await;
    world.looked().await;
    world.settled_as("True", "Serving", 1, 0).await;
    let after = world.picture("shop").await;
    assert_eq!(
        (after.deployment, &after.status["version"], after.ports_agree),
        (before.deployment, &before.status["version"], true)
    );
    assert_eq!((world.node_port("shop").await, world.pod_uids().await), (port, pods));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn fields_that_others_add_to_a_child_stay() {
    let (world, operator, picture) = two_versions("others-add").await;
    let before = operator.journal.writes().len();
    let addition = json!({ "metadata": { "annotations": { "example.org/note": "mine" }, "labels": { "example.org/team": "blue" } } });
    world.edit::<Deployment>("shop", addition.clone()).await;
    world.edit::<Service>("shop", addition.clone()).await;
    world.edit::<ControllerRevision>("shop", addition).await;
    world.edit::<Service>("shop", json!({ "spec": { "sessionAffinity": "ClientIP" } })).await;
    world.looked().await;
    operator.journal.at_rest().await;
    assert_eq!(writes_to_shop(&operator, before), Vec::<String>::new());
    assert_eq!(world.picture("shop").await, picture);
    assert_eq!(world.get::<Deployment>("shop").await.annotations()["example.org/note"], "mine");
    assert_eq!(
        world.get::<Service>("shop").await.meta().labels.as_ref().unwrap()["example.org/team"],
        "blue"
    );
}
