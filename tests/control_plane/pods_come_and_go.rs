//! Scaling, `kubectl rollout restart` and stopping have their own reasons and do not raise an alarm.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Operator, World, is, prebuilt};

/// A good version with a guard long enough for the test to read Ready before a new pod counts.
fn guarded(n: u8) -> Value {
    let mut spec = prebuilt(n);
    spec["rollout"]["minReadySeconds"] = json!(5);
    spec
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn kubectl_rollout_restart_keeps_ready_true_and_the_kept_replica_set() {
    let world = World::new("rollout-restart").await;
    let operator = Operator::start(&world).await;
    let first = world.serve("shop", guarded(1)).await;
    let second = world.serve("shop", guarded(2)).await;
    let before = world.until_sets(2).await;
    let since = ready_since(&world).await;
    for _ in 0..2 {
        world.kubectl(&["rollout", "restart", "deploy/shop"]).await.well();
        let restarting = world.until_ready("shop", "True", "Restarting").await;
        assert!(
            message(&restarting, "Ready").contains("are being replaced"),
            "{}",
            message(&restarting, "Ready")
        );
        assert!(is(&restarting, "Reconciling", "True", "Restarting"));
        world.until_ready("shop", "True", "Serving").await;
    }
    assert_eq!(ready_since(&world).await, since, "Ready was False in between");
    world.until_sets(2).await;
    // Back to the kept ReplicaSet, which kubectl never changed.
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    let back = world.until_sets(2).await;
    let kept = |set: &&ReplicaSet| before.iter().any(|old| old.uid() == set.uid());
    assert_eq!(back.iter().filter(kept).count(), 1, "the kept ReplicaSet was not used");
    // Forward to the one that kubectl created: its annotation is part of it.
    world.annotate("shop", "doce.dev/rollback", "previous@2").await;
    world.until_serving("shop", &second).await;
    operator.journal.at_rest().await;
    let forward = world.until_sets(2).await;
    let uids =
        |sets: &[ReplicaSet]| sets.iter().map(ResourceExt::uid).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(uids(&forward), uids(&back), "a ReplicaSet was recreated");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_stuck_rollout_restart_is_reported_with_the_undo_command() {
    let world = World::new("rollout-restart-bad").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let annotations =
        json!({ "test.doce.dev/pod": "pull-error", "kubectl.kubernetes.io/restartedAt": "now" });
    let template = json!({ "metadata": { "annotations": annotations } });
    world.patch::<Deployment>("shop", json!({ "spec": { "template": template } })).await;
    let said = world.until_says("shop", &["ImagePullBackOff", "kubectl rollout undo deploy/shop"]).await;
    assert!(is(&said, "Ready", "False", "Restarting") && is(&said, "Available", "True", "Serving"));
    let said = message(&said, "Ready");
    world.paste(&said[said.find("kubectl rollout undo").expect("a command")..]).await.well();
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn scaling_keeps_ready_true_and_reports_the_number_of_ready_pods() {
    let world = World::new("scaling").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", guarded(1)).await;
    let since = ready_since(&world).await;
    world.kubectl(&["scale", "pd/shop", "--replicas=3"]).await.well();
    let scaling = world.until_ready("shop", "True", "Scaling").await;
    assert!(message(&scaling, "Ready").contains(" of 3 pods"), "{}", message(&scaling, "Ready"));
    assert!(is(&scaling, "Reconciling", "True", "Scaling"));
    world.until_ready("shop", "True", "Serving").await;
    world.until_list("three pods", |pods: &[Pod]| pods.len() == 3).await;
    world.kubectl(&["scale", "pd/shop", "--replicas=1"]).await.well();
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(ready_since(&world).await, since, "Ready was False in between");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_pod_that_cannot_start_during_scaling_is_unavailable() {
    let world = World::new("scaling-bad").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let quota = json!({ "metadata": { "name": "few" }, "spec": { "hard": { "pods": "1" } } });
    let quota: k8s_openapi::api::core::v1::ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api().create(&kube::api::PostParams::default(), &quota).await.unwrap();
    world.kubectl(&["scale", "pd/shop", "--replicas=2"]).await.well();
    let said = world.until_says("shop", &["1 of 2 pods", "exceeded quota"]).await;
    assert!(is(&said, "Ready", "False", "Unavailable"), "{:#?}", said.status);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn replace_never_runs_two_versions_at_once_and_rolls_back_without_a_build() {
    let world = World::new("replace").await;
    let _operator = Operator::start(&world).await;
    let replace = |n| {
        let mut spec = prebuilt(n);
        spec["rollout"]["strategy"] = json!("Replace");
        spec
    };
    let first = world.serve("shop", replace(1)).await;
    let sets = world.until_sets(1).await;
    world.serve("shop", replace(2)).await;
    let deployment = world.get::<Deployment>("shop").await;
    let strategy = serde_json::to_value(deployment.spec.unwrap().strategy).unwrap();
    assert_eq!(strategy, json!({ "type": "Recreate" }));
    world.fail("shop", crate::harness::behaving(replace(3), "crash"), "RolloutFailed").await;
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    assert!(
        world.until_sets(2).await.iter().any(|set| set.uid() == sets[0].uid()),
        "a ReplicaSet was recreated"
    );
    // Back to Surge without changing a pod.
    let pods = world.pod_uids().await;
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "rollout": { "strategy": "Surge" } } })).await;
    world
        .until("shop", "the strategy is Surge", |there: Option<&Deployment>| {
            there.is_some_and(|there| {
                let strategy = there.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
                strategy.is_some_and(|strategy| strategy.type_.as_deref() == Some("RollingUpdate"))
            })
        })
        .await;
    assert_eq!(world.pod_uids().await, pods);
}

async fn ready_since(world: &World) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time> {
    world.get::<ProjectDeployment>("shop").await.status.unwrap().ready_since
}
