//! Settings of the spec: stopped, pinned, and staying with a failed version.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use serde_json::json;

use crate::harness::reading::{message, version_of};
use crate::harness::{Operator, World, behaving, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_stopped_project_keeps_port_versions_and_template_and_can_roll_back_later() {
    let world = World::new("stopped").await;
    let operator = Operator::start(&world).await;
    let rolls = async || {
        operator.journal.at_rest().await;
        let writes = operator.journal.writes();
        writes.iter().filter(|write| write.path.ends_with("/deployments/shop")).count()
    };
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    let kept = |sets: Vec<ReplicaSet>| sets.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    let mut sets = kept(world.until_sets(2).await);
    sets.sort();
    let (deployment, service) = (world.get::<Deployment>("shop").await, world.get::<Service>("shop").await);

    let before = rolls().await;
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "state": "Stopped" } })).await;
    let stopped = world.until_ready("shop", "True", "Stopped").await;
    assert!(is(&stopped, "Available", "False", "Stopped"));
    world.until_list("no pods", |pods: &[Pod]| pods.is_empty()).await;
    let at_rest = world.get::<Deployment>("shop").await;
    assert_eq!(at_rest.spec.as_ref().unwrap().template, deployment.spec.as_ref().unwrap().template);
    assert_eq!(world.get::<Service>("shop").await.spec, service.spec);
    assert_eq!(kept(world.list::<ReplicaSet>().await), sets);
    assert_eq!(rolls().await, before + 1, "one write to stop");
    assert_eq!(stopped.status.unwrap().node_port, service.spec.unwrap().ports.unwrap()[0].node_port);

    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "state": "Running" } })).await;
    world.until_serving("shop", &second).await;
    assert_eq!(rolls().await, before + 2, "one write to start");
    assert_eq!(kept(world.list::<ReplicaSet>().await), sets);
    assert_eq!(world.ask("shop", "rollback", "previous@1").await, format!("rolling back to {first}"));
    world.until_serving("shop", &first).await;
    assert_eq!(kept(world.list::<ReplicaSet>().await), sets);
    assert!(world.list::<Job>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_pin_runs_its_version_and_the_spec_takes_over_without_it() {
    let world = World::new("pinned").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "pinnedVersion": first } })).await;
    let pinned = world.until_ready("shop", "True", "Pinned").await;
    assert_eq!(pinned.status.unwrap().version.as_deref(), Some(first.as_str()));
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "pinnedVersion": null } })).await;
    world.until_ready("shop", "True", "Serving").await;
    world.until_serving("shop", &second).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unknown_pin_stalls_with_the_available_versions_and_changes_nothing() {
    let world = World::new("pin-unknown").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let before = world.get::<Deployment>("shop").await;
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "pinnedVersion": "v00000000" } })).await;
    let stalled = world.until_ready("shop", "False", "VersionUnknown").await;
    assert!(
        is(&stalled, "Stalled", "True", "VersionUnknown") && is(&stalled, "Available", "True", "Serving")
    );
    assert!(message(&stalled, "Stalled").contains(&first), "{}", message(&stalled, "Stalled"));
    assert_eq!(world.get::<Deployment>("shop").await.spec, before.spec);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_manifest_that_pins_its_own_version_works_on_a_new_cluster() {
    let world = World::new("pin-own").await;
    let _operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    let mut twin = prebuilt(1);
    twin["pinnedVersion"] = json!(version);
    world.apply("twin", twin).await;
    let pinned = world.until_ready("twin", "True", "Pinned").await;
    assert_eq!(pinned.status.unwrap().version, Some(version));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn on_failure_stay_records_the_verdict_and_keeps_the_template() {
    let world = World::new("stay").await;
    let _operator = Operator::start(&world).await;
    let good = world.serve("shop", prebuilt(1)).await;
    let mut spec = behaving(prebuilt(2), "crash");
    spec["rollout"]["onFailure"] = json!("Stay");
    let failed = world.fail("shop", spec, "RolloutFailed").await;
    let status = failed.status.clone().unwrap();
    let bad = status.desired_version.unwrap();
    assert_eq!(version_of(&world.get("shop").await), bad, "the template stays");
    assert!(is(&failed, "Available", "True", "Serving"), "the old pods serve: {:#?}", failed.status);
    assert_eq!(status.version.as_deref(), Some(good.as_str()));
    world.until_list("the live pod and the failed one", |pods: &[Pod]| pods.len() == 2).await;
    world.until_sets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_retry_with_a_longer_deadline_keeps_the_version_and_its_replica_set() {
    let world = World::new("longer").await;
    let _operator = Operator::start(&world).await;
    let budget = |deployment: &Deployment| {
        let whole = serde_json::to_value(deployment).unwrap();
        whole["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["failureThreshold"].as_i64()
    };
    let good = world.serve("shop", prebuilt(1)).await;
    let first = budget(&world.get("shop").await);
    let set = world.list::<ReplicaSet>().await.remove(0).name_any();
    world.fail("shop", behaving(prebuilt(2), "never-ready"), "RolloutFailed").await;
    assert_eq!(budget(&world.get("shop").await), first, "a rollback matches the live version");
    world
        .patch::<ProjectDeployment>("shop", json!({ "spec": { "rollout": { "deadlineSeconds": 90 } } }))
        .await;
    world.annotate("shop", "doce.dev/retry", "@1").await;
    world
        .until("shop", "the deadline is longer", |deployment: Option<&Deployment>| {
            deployment.is_some_and(|deployment| budget(deployment) == Some(85))
        })
        .await;
    world.ask("shop", "rollback", &format!("{good}@1")).await;
    world.until_serving("shop", &good).await;
    assert_eq!(budget(&world.get("shop").await), first);
    assert!(world.list::<ReplicaSet>().await.iter().any(|there| there.name_any() == set));
}
