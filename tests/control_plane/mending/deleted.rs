//! The operator recreates every child that a user deletes.

use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use serde_json::json;

use super::{two_versions, writes_to_shop};
use crate::harness::stories;
use crate::harness::{Built, Operator, Options, Picture, World, commit};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deleted_service_is_recreated_with_the_same_node_port() {
    let (world, _operator, picture) = two_versions("no-service").await;
    let port = world.node_port("shop").await;
    world.delete::<Service>("shop").await;
    world.until_labelled::<Service>("doce.dev/project=shop", "a Service", |there| there.len() == 1).await;
    world.until_picture("shop", &picture, "Service deleted").await;
    assert_eq!(world.node_port("shop").await, port);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deleted_deployment_is_recreated_with_the_live_version() {
    let (world, _operator, picture) = two_versions("no-deployment").await;
    let uid = world.get::<Deployment>("shop").await.uid();
    world.delete::<Deployment>("shop").await;
    world
        .until::<Deployment>("shop", "a new Deployment", move |there: Option<&Deployment>| {
            there.is_some_and(|there| there.uid() != uid)
        })
        .await;
    world.until_picture("shop", &without_kept_set(&picture), "Deployment deleted").await;
}

/// The ReplicaSets were deleted with their Deployment. Only the current one is recreated.
fn without_kept_set(picture: &Picture) -> Picture {
    let mut picture = picture.clone();
    let in_place = picture.deployment["version"].clone();
    picture.sets.retain(|set| set["version"] == in_place);
    picture.counts.insert("ReplicaSet".to_owned(), 1);
    picture
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deleted_ledger_is_rebuilt_and_no_request_runs_twice() {
    let (world, _operator, before) = two_versions("no-ledger").await;
    let (port, pods) = (world.node_port("shop").await, world.pod_uids().await);
    let uid = world.get::<ControllerRevision>("shop").await.uid();
    world.delete::<ControllerRevision>("shop").await;
    world
        .until::<ControllerRevision>("shop", "a new ledger", move |there: Option<&ControllerRevision>| {
            there.is_some_and(|there| there.uid() != uid)
        })
        .await;
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
async fn a_deleted_record_of_the_running_version_is_recreated() {
    let (world, _operator, picture) = two_versions("no-record").await;
    let pods = world.pod_uids().await;
    let name = names::record("shop", picture.deployment["version"].as_str().unwrap());
    world.delete::<ControllerRevision>(&name).await;
    world
        .until_labelled::<ControllerRevision>("doce.dev/project=shop", "three again", |there| {
            there.len() == 3
        })
        .await;
    world.until_picture("shop", &picture, "record deleted").await;
    assert_eq!(world.pod_uids().await, pods);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deleted_record_of_a_built_version_is_recreated_without_a_build() {
    let world = World::new("no-built-record").await;
    let operator = Operator::start(&world).await;
    (stories::FIRST_DEPLOY.then)(&world).await;
    let picture = world.picture("shop").await;
    let name = names::record("shop", picture.deployment["version"].as_str().unwrap());
    world.delete::<ControllerRevision>(&name).await;
    world
        .until_labelled::<ControllerRevision>("doce.dev/project=shop", "two again", |there| there.len() == 2)
        .await;
    world.until_picture("shop", &picture, "record deleted").await;
    let made = operator
        .journal
        .writes()
        .into_iter()
        .filter(|write| write.method == "POST" && write.path.ends_with("/jobs"))
        .count();
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deleted_serving_replica_set_is_recreated_and_a_kept_one_is_not() {
    let (world, _operator, picture) = two_versions("no-set").await;
    let in_place = picture.deployment["version"].as_str().unwrap().to_owned();
    let version = |set: &ReplicaSet| {
        set.spec.as_ref().and_then(|spec| {
            spec.template.as_ref()?.metadata.as_ref()?.annotations.as_ref()?.get(names::VERSION).cloned()
        })
    };
    let sets = world.children::<ReplicaSet>("shop").await;
    let (serving, kept): (Vec<_>, Vec<_>) =
        sets.into_iter().partition(|set| version(set).as_ref() == Some(&in_place));
    let uid = serving[0].uid();
    world.delete::<ReplicaSet>(&serving[0].name_any()).await;
    world
        .until::<ReplicaSet>(&serving[0].name_any(), "a new ReplicaSet", move |there: Option<&ReplicaSet>| {
            there.is_some_and(|there| there.uid() != uid)
        })
        .await;
    world.until_picture("shop", &picture, "the serving ReplicaSet deleted").await;
    world.delete::<ReplicaSet>(&kept[0].name_any()).await;
    world.until_picture("shop", &without_kept_set(&picture), "the kept ReplicaSet deleted").await;
    let previous = picture.status["previous"].as_str().unwrap();
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", previous).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_running_build_job_that_a_user_deletes_is_recreated() {
    let world = World::new("no-running-job").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    let (job, _) = world.running_build().await;
    world.delete::<Job>(&job.name_any()).await;
    let uid = job.uid();
    world
        .until_labelled::<Job>("doce.dev/project=shop", "another Job", move |there| {
            there.len() == 1 && there[0].uid() != uid
        })
        .await;
    let name = world.finish_build(Built::default()).await;
    assert_eq!(name, job.name_any());
    world.settled_as("True", "Serving", 1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_job_that_a_user_deletes_or_suspends_is_queued_again() {
    let world = World::new("no-queued-job").await;
    let operator = Operator::start_with(&world, Options { build_limit: 0, ..Options::default() }).await;
    world.apply("shop", commit(1)).await;
    world.until_ready("shop", "False", "Queued").await;
    let job = world
        .until_labelled::<Job>("doce.dev/project=shop", "a Job", |there| there.len() == 1)
        .await
        .remove(0);
    world.delete::<Job>(&job.name_any()).await;
    let uid = job.uid();
    world
        .until_labelled::<Job>("doce.dev/project=shop", "another Job", move |there| {
            there.len() == 1 && there[0].uid() != uid
        })
        .await;
    operator.stop().await;
    let operator = Operator::start(&world).await;
    let (job, _) = world.running_build().await;
    world.patch::<Job>(&job.name_any(), json!({ "spec": { "suspend": true } })).await;
    world
        .until::<Job>(&job.name_any(), "it is released again", |job: Option<&Job>| {
            job.is_some_and(|job| job.spec.as_ref().unwrap().suspend == Some(false))
        })
        .await;
    world.finish_build(Built::default()).await;
    world.settled_as("True", "Serving", 1, 1).await;
    assert!(!writes_to_shop(&operator, 0).is_empty());
}
