//! From apply to a live version, and on to the next version.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;

use crate::harness::{Built, Operator, World, commit, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_commit_is_built_and_serves_on_a_port_that_the_next_commit_keeps() {
    let world = World::new("first-deploy").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    world.until_ready("shop", "False", "Building").await;
    let job = world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    let build = first.build.unwrap();
    assert_eq!(build.id, job);
    assert!(build.log.is_some_and(|log| log.ends_with("/shop:log-1")));
    assert_eq!(first.source.unwrap().message.as_deref(), Some("A change"));

    world.apply("shop", commit(2)).await;
    world.until_ready("shop", "False", "Building").await;
    world.finish_build(Built::default()).await;
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_eq!(second.node_port, first.node_port);
    assert_ne!(second.version, first.version);
    assert_eq!(second.previous_version, first.version);
    assert_eq!((world.list::<Deployment>().await.len(), world.list::<Service>().await.len()), (1, 1));
    assert_eq!(world.list::<ReplicaSet>().await.len(), 2);
    assert_eq!(world.list::<Job>().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_to_the_kept_version_needs_no_job() {
    let world = World::new("rollback").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    let second = world.apply("shop", prebuilt(2)).await;
    assert_eq!(second.metadata.generation, Some(2));
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_ready("shop", "True", "Held").await;
    world.until_serving("shop", &first).await;
    world.annotate("shop", "doce.dev/rollback", "previous@2").await;
    world.until_serving("shop", &second).await;
    assert!(world.list::<Job>().await.is_empty());
}
