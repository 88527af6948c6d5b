//! `doce.dev/retry`, `cancel` and `deploy`: their effect on builds and lookups.

use doce_operator::crd::{ProjectDeployment, ProjectDeploymentStatus};
use doce_operator::protocol::report::{Failed, Stage};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::builds::failed;
use crate::harness::reading::{message, state_of};
use crate::harness::{Built, Operator, World, behaving, branch, commit, condition, is, prebuilt};

fn broken() -> Failed {
    let sentence = "RUN npm run build ended with exit code 1";
    Failed { log: "error: no such file".to_owned(), ..failed(Stage::Build, "BuildFailed", sentence) }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_retry_repeats_a_failed_build() {
    let world = World::new("retry-build").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    let failed = world.fail_build(broken()).await;
    let stalled = world.until_ready("shop", "False", "BuildFailed").await;
    let failure = stalled.status.unwrap().failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.log.as_str()), ("Build", "error: no such file"));
    let version = failure.version.unwrap();
    assert_eq!(world.ask("shop", "retry", "@1").await, format!("retrying {version}"));
    let second = world.finish_build(Built::default()).await;
    assert_ne!(second, failed);
    world.until_serving("shop", &version).await;
    assert_eq!(world.ask("shop", "retry", "@2").await, "nothing to retry: nothing has failed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_retry_repeats_a_failed_rollout_while_the_live_version_serves() {
    let world = World::new("retry-rollout").await;
    let _operator = Operator::start(&world).await;
    let good = world.serve("shop", prebuilt(1)).await;
    let stalled = world.fail("shop", behaving(prebuilt(2), "never-ready"), "RolloutFailed").await;
    let status = stalled.status.clone().unwrap();
    let bad = status.desired_version.unwrap();
    assert_eq!(status.version.as_deref(), Some(good.as_str()));
    assert_eq!(state_of(&stalled, &bad), "Failed");
    assert!(is(&stalled, "Available", "True", "Serving"));

    let rollout = json!({ "spec": { "rollout": { "deadlineSeconds": 600 } } });
    world.patch::<ProjectDeployment>("shop", rollout).await; // This deadline lets it succeed.
    world.until_ready("shop", "False", "RolloutFailed").await;
    assert_eq!(world.ask("shop", "retry", "@1").await, format!("retrying {bad}"));
    let version = doce_operator::desired::names::VERSION;
    let of_bad = |pod: &Pod| {
        pod.annotations().get(version).is_some_and(|full| doce_operator::version::short(full) == bad)
            && pod.annotations().contains_key(doce_operator::desired::names::RESTARTED) // Not a pod of the first trial.
            && pod.metadata.deletion_timestamp.is_none()
    };
    let pods = world.until_list("a pod of the retried version", |pods: &[Pod]| pods.iter().any(of_bad)).await;
    let pod = pods.into_iter().find(|pod| of_bad(pod)).unwrap();
    world
        .patch::<Pod>(
            &pod.name_any(),
            json!({ "metadata": { "annotations": { "test.doce.dev/pod": "ready" } } }),
        )
        .await;
    world.until_serving("shop", &bad).await;
    world.until_sets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_cancel_is_done_only_when_the_pod_is_gone_and_a_retry_builds_again() {
    let world = World::new("cancel").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    let (job, pod) = world.running_build().await;
    let (id, pod) = (job.name_any(), pod.name_any());
    let other = world.ask("shop", "cancel", "shop-00000000@1").await;
    assert!(
        other.contains("no current build \"shop-00000000\"") && other.contains("status.build.id"),
        "{other}"
    );

    let hold = |held: bool| json!({ "metadata": { "finalizers": if held { json!(["test.doce.dev/hold"]) } else { json!(null) } } });
    world.patch::<Pod>(&pod, hold(true)).await;
    assert_eq!(world.ask("shop", "cancel", &format!("{id}@1")).await, format!("cancelled {id}"));
    world
        .until(&pod, "is ending", |pod: Option<&Pod>| {
            pod.is_some_and(|pod| pod.metadata.deletion_timestamp.is_some())
        })
        .await;
    let ending = world.get::<doce_operator::crd::ProjectDeployment>("shop").await;
    assert_eq!(condition(&ending, "Ready").unwrap().reason, "Building", "its pod still exists");
    assert!(message(&ending, "Ready").contains("is being cancelled"), "{}", message(&ending, "Ready"));

    world.patch::<Pod>(&pod, hold(false)).await;
    let cancelled = world.until_ready("shop", "False", "Cancelled").await;
    assert!(
        is(&cancelled, "Stalled", "True", "Cancelled")
            && message(&cancelled, "Stalled").contains("doce.dev/retry")
    );
    assert!(world.list::<Pod>().await.is_empty());
    world.ask("shop", "retry", "@1").await;
    let again = world.finish_build(Built::default()).await;
    assert_ne!(again, id);
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deploy_looks_the_branch_up_again_and_the_same_commit_is_the_same_version() {
    let world = World::new("deploy").await;
    let _operator = Operator::start(&world).await;
    let at = |n: u8| Built { commit: Some(format!("{n:02x}").repeat(20)), ..Built::default() };
    world.apply("shop", branch("main")).await;
    world.finish_build(at(1)).await;
    let status = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    let first = status.version.unwrap();
    let source = status.source.unwrap();
    assert_eq!((source.digest, source.message.as_deref()), ("01".repeat(20), Some("A change")));
    let records = world.list::<ControllerRevision>().await.len();

    let outcome = world.ask("shop", "deploy", "@1").await;
    assert!(outcome.starts_with("looking up") && outcome.contains("main"), "{outcome}");
    world.finish_build(at(1)).await;
    let same = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(same.status.unwrap().version.as_deref(), Some(first.as_str()));
    assert_eq!(world.list::<ControllerRevision>().await.len(), records, "same commit, same version");

    world.ask("shop", "deploy", "@2").await;
    world.finish_build(at(2)).await;
    let new = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_ne!(new.version.as_deref(), Some(first.as_str()));
    assert_eq!(new.previous_version.as_deref(), Some(first.as_str()));
    assert_eq!(world.list::<Job>().await.len(), 3, "one Job per lookup, which also builds");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deploy_of_a_fixed_source_reports_nothing_to_look_up() {
    let world = World::new("deploy-fixed").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let outcome = world.ask("shop", "deploy", "@1").await;
    assert!(outcome.contains("needs no lookup"), "{outcome}");
    assert!(world.list::<Job>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_tag_of_a_prebuilt_image_is_resolved_once_and_again_on_deploy() {
    let world = World::new("tag").await;
    let _operator = Operator::start(&world).await;
    let tag = |colour: &str| {
        let image = json!({ "reference": "registry.test/shop:stable" });
        json!({ "source": { "image": image }, "run": { "env": [{ "name": "COLOUR", "value": colour }] } })
    };
    let jobs = async || world.list::<Job>().await.len();
    world.apply("shop", tag("blue")).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap();

    world.apply("shop", tag("red")).await;
    let serves = |object: Option<&ProjectDeployment>, so: &dyn Fn(&ProjectDeploymentStatus) -> bool| {
        let ready = object.filter(|object| is(object, "Ready", "True", "Serving"));
        ready.and_then(|object| object.status.as_ref()).is_some_and(so)
    };
    let edited =
        |object: Option<&ProjectDeployment>| serves(object, &|status| status.version != first.version);
    let red = world.until("shop", "the edit serves", edited).await.status.unwrap();
    assert_eq!((red.image.as_ref(), jobs().await), (first.image.as_ref(), 1), "an edit resolves nothing");

    world.ask("shop", "deploy", "@1").await;
    world.finish_build(Built { commit: Some("02".repeat(20)), ..Built::default() }).await;
    let moved = |object: Option<&ProjectDeployment>| serves(object, &|status| status.image != red.image);
    world.until("shop", "the new image of the tag serves", moved).await;
    assert_eq!(jobs().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_new_epoch_builds_the_same_commit_again_and_the_same_epoch_does_not() {
    let world = World::new("epoch").await;
    let _operator = Operator::start(&world).await;
    // The API server normalizes these letters. Records contain them and change when the image is recorded.
    let mut spec = commit(1);
    spec["run"] = json!({ "env": [{ "name": "STORE", "value": "sql://db?a=<1>&b=2" }] });
    world.apply("shop", spec.clone()).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;

    spec["build"]["epoch"] = json!(1);
    world.apply("shop", spec.clone()).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.list::<Job>().await.len(), 2);
    spec["run"] = json!({ "env": [{ "name": "COLOUR", "value": "blue" }] });
    world.apply("shop", spec).await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.list::<Job>().await.len(), 2, "a change of spec.run needs no build");
}
