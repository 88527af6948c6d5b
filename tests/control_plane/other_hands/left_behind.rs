//! A project adopts the orphans of a project with the same name, without disturbing running pods.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::stories;
use crate::harness::{Kind, Operator, World, prebuilt};

/// Deletes the project like `--cascade=orphan` and waits until it is gone.
async fn orphan(world: &World) {
    world.kubectl(&["delete", "pd", "shop", "--cascade=orphan", "--wait=true"]).await.well();
}

/// Waits until the current project owns every child.
async fn until_owned(world: &World) {
    let uid = world.get::<ProjectDeployment>("shop").await.uid().unwrap();
    owned::<ControllerRevision>(world, &uid).await;
    owned::<Deployment>(world, &uid).await;
    owned::<Service>(world, &uid).await;
    owned::<Job>(world, &uid).await;
}

async fn owned<K: Kind>(world: &World, uid: &str) {
    let uid = uid.to_owned();
    world
        .until_labelled::<K>("doce.dev/project=shop", "owned by the new project", move |there| {
            there.iter().all(|child| {
                child
                    .owner_references()
                    .iter()
                    .any(|owner| owner.uid == uid && owner.controller == Some(true))
                    && child.labels().get(names::UID) == Some(&uid)
            })
        })
        .await;
}

async fn versions(world: &World) -> (Option<String>, Option<String>) {
    let status = world.get::<ProjectDeployment>("shop").await.status.unwrap();
    (status.version, status.previous_version)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_recreated_after_an_orphaning_delete_keeps_its_pods_and_port() {
    let world = World::new("orphan-recreate").await;
    let operator = Operator::start(&world).await;
    (stories::FIRST_DEPLOY.then)(&world).await;
    let first = world.get::<ProjectDeployment>("shop").await.status.unwrap().version.unwrap();
    let second = world.serve("shop", prebuilt(2)).await;
    world.until_sets(2).await;
    let (pods, port) = (world.pod_uids().await, world.node_port("shop").await);
    orphan(&world).await;
    assert_eq!(world.pod_uids().await, pods, "the pods stay");
    world.apply("shop", prebuilt(2)).await;
    world.until_serving("shop", &second).await;
    until_owned(&world).await;
    operator.journal.at_rest().await;
    assert_eq!((world.pod_uids().await, world.node_port("shop").await), (pods, port));
    assert_eq!(versions(&world).await, (Some(second), Some(first.clone())));
    // The memory is still valid: a rollback needs no build and no new ReplicaSet.
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    world.until_sets(2).await;
    assert_eq!(world.list::<Job>().await.len(), 1);
    // Deleting the project deletes everything that it adopted.
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_backup_restored_under_another_uid_serves_and_runs_no_old_request() {
    let world = World::new("restored").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.ask("shop", "restart", "@1").await;
    world.until_serving("shop", &second).await;
    operator.journal.at_rest().await;
    operator.stop().await;
    let revisions = stripped::<ControllerRevision>(&world).await;
    let services = stripped::<Service>(&world).await;
    let deployments = stripped::<Deployment>(&world).await;
    let port = world.node_port("shop").await;
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
    restored::<ControllerRevision>(&world, revisions).await;
    restored::<Service>(&world, services).await;
    restored::<Deployment>(&world, deployments).await;
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "spec": prebuilt(2),
        "metadata": { "name": "shop", "annotations": { "doce.dev/restart": "@2" } },
    });
    let object: ProjectDeployment = serde_json::from_value(object).unwrap();
    world.api().create(&PostParams::default(), &object).await.unwrap();
    let pods = world.until_list("a pod", |pods: &[Pod]| !pods.is_empty()).await;
    let _operator = Operator::start(&world).await;
    world.until_serving("shop", &second).await;
    until_owned(&world).await;
    let outcome = world.until_handled("shop", "restart", "@2").await;
    assert!(outcome.contains("ignored: it was already set"), "{outcome}");
    assert_eq!(world.node_port("shop").await, port);
    let now: Vec<_> = world.list::<Pod>().await.iter().map(ResourceExt::uid).collect();
    assert_eq!(now, pods.iter().map(ResourceExt::uid).collect::<Vec<_>>(), "the pods were restarted");
}

/// The children as in a backup: without owners and without fields that the API server sets.
async fn stripped<K: Kind>(world: &World) -> Vec<Value> {
    let strip = |object: &K| {
        let mut object = serde_json::to_value(object).unwrap();
        object.as_object_mut().unwrap().remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        for field in
            ["ownerReferences", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"]
        {
            metadata.remove(field);
        }
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
        object
    };
    world.children::<K>("shop").await.iter().map(strip).collect()
}

async fn restored<K: Kind>(world: &World, objects: Vec<Value>) {
    for object in objects {
        let object: K = serde_json::from_value(object).unwrap();
        world.api().create(&PostParams::default(), &object).await.unwrap();
    }
}
