//! `doce.dev/restart`: new pods of the same version, and what happens if they do not become ready.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::reading::version_of;
use crate::harness::{Operator, World, behaving, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restart_replaces_the_pods_of_the_same_version_and_keeps_two_replica_sets() {
    let world = World::new("restart").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let version = world.serve("shop", prebuilt(2)).await;
    world.until_sets(2).await;
    let before = world.app_pods().await;
    assert_eq!(world.ask("shop", "restart", "@1").await, format!("restarting the pods of {version}"));
    let uid = before[0].uid();
    let replaced = |pods: &[Pod]| pods.len() == 1 && pods[0].uid() != uid;
    world.until_list("a new pod replaces the old one", replaced).await;
    world.until_ready("shop", "True", "Serving").await;
    world.until_serving("shop", &version).await;
    assert_eq!(world.until_sets(2).await.len(), 2);
    let status = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_eq!(status.history.len(), 2, "a restart is not a version");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restart_that_never_becomes_ready_is_reverted_without_a_verdict() {
    let world = World::new("restart-back").await;
    let _operator = Operator::start(&world).await;
    let mut spec = behaving(prebuilt(1), "manual");
    spec["rollout"]["deadlineSeconds"] = json!(3600);
    world.apply("shop", spec).await;
    let pods = world.until_list("the first pod", |pods: &[Pod]| pods.len() == 1).await;
    becomes_ready(&world, &pods[0]).await;
    let version = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    let stamp = |deployment: &Deployment| {
        deployment
            .spec
            .clone()
            .unwrap()
            .template
            .metadata
            .unwrap()
            .annotations
            .unwrap()
            .get("doce.dev/restarted")
            .cloned()
    };
    assert_eq!(stamp(&world.get("shop").await), None);

    world.ask("shop", "restart", "@1").await;
    world.until_list("a pod that is never ready next to the old one", |pods: &[Pod]| pods.len() == 2).await;
    world.until_ready("shop", "False", "Restarting").await;
    world.time_is_over("shop").await;
    world.until_serving("shop", &version).await;
    let outcome = world.until_handled("shop", "restart", "@1").await;
    assert!(
        outcome.starts_with(&format!("reverted: the new pods of {version} did not become ready")),
        "{outcome}"
    );
    let left = world.until_list("only the old pod", |there: &[Pod]| there.len() == 1).await;
    assert_eq!(left[0].uid(), pods[0].uid(), "the old pod serves");
    let deployment = world.get::<Deployment>("shop").await;
    assert_eq!((stamp(&deployment), version_of(&deployment)), (None, version));
    world.until_sets(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restart_without_a_live_version_is_rejected() {
    let world = World::new("restart-refused").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world
        .patch::<doce_operator::crd::ProjectDeployment>("shop", json!({ "spec": { "state": "Stopped" } }))
        .await;
    world.until_ready("shop", "True", "Stopped").await;
    assert_eq!(world.ask("shop", "restart", "@1").await, "rejected: no live version is running");
}

/// The pod status that a kubelet writes when the app answers.
async fn becomes_ready(world: &World, pod: &Pod) {
    let now = k8s_openapi::jiff::Timestamp::now();
    let so = |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": now });
    let status = json!({ "status": {
        "phase": "Running",
        "conditions": [so("Initialized"), so("ContainersReady"), so("Ready")],
        "containerStatuses": [{
            "name": "app", "image": "app", "imageID": "app", "ready": true, "started": true, "restartCount": 0,
            "state": { "running": { "startedAt": now } },
        }],
    }});
    world
        .api::<Pod>()
        .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(status))
        .await
        .unwrap();
}
