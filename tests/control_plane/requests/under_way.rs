//! Rollbacks while a build or a rollout is running.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::Stage;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::harness::builds::failed;
use crate::harness::reading::{message, state_of, version_of};
use crate::harness::{Built, Operator, World, behaving, branch, commit, prebuilt};

/// Two live versions, of which the second is current, in short form.
async fn two_served(world: &World) -> (String, String) {
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    world.apply("shop", commit(2)).await;
    world.finish_build(Built::default()).await;
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    (first, second)
}

impl World {
    async fn until_held(&self, name: &str, version: &str) -> ProjectDeployment {
        let object = self.until_ready(name, "True", "Held").await;
        assert_eq!(object.status.as_ref().unwrap().version.as_deref(), Some(version));
        object
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_cancels_a_build_and_a_rollback_to_that_version_builds_it() {
    let world = World::new("back-during-a-build").await;
    let _operator = Operator::start(&world).await;
    let (first, _) = two_served(&world).await;
    world.apply("shop", commit(3)).await;
    let (job, _) = world.running_build().await;

    assert_eq!(world.ask("shop", "rollback", "previous@1").await, format!("rolling back to {first}"));
    let held = world.until_held("shop", &first).await;
    let gone = |jobs: &[Job]| jobs.iter().all(|there| there.name_any() != job.name_any());
    world.until_list("the build is gone", gone).await;
    let third = held.status.as_ref().unwrap().desired_version.clone().unwrap();
    let forward = format!("doce.dev/rollback=\"{third}@");
    assert!(message(&held, "Ready").contains(&forward), "{}", message(&held, "Ready"));

    let says = world.ask("shop", "rollback", &format!("{third}@2")).await;
    assert_eq!(says, format!("rolling back to {third} after its build"));
    world.finish_build(Built::default()).await;
    world.until_serving("shop", &third).await;
    world.until_sets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_during_a_lookup_is_immediate_and_holds_against_its_result() {
    let world = World::new("back-during-a-lookup").await;
    let _operator = Operator::start(&world).await;
    let (first, _) = two_served(&world).await;
    world.apply("shop", branch("next")).await;
    world.running_build().await;

    assert_eq!(world.ask("shop", "rollback", "previous@1").await, format!("rolling back to {first}"));
    let held = world.until_held("shop", &first).await;
    assert!(
        message(&held, "Ready").contains("`branch next` is being resolved"),
        "{}",
        message(&held, "Ready")
    );

    world.finish_build(Built { commit: Some("0c".repeat(20)), ..Built::default() }).await;
    let known = world
        .until("shop", "the branch is resolved", |object: Option<&ProjectDeployment>| {
            let status = object.and_then(|object| object.status.as_ref());
            status.is_some_and(|status| status.desired_version.is_some())
        })
        .await;
    let third = known.status.unwrap().desired_version.unwrap();
    world.until_held("shop", &first).await;
    assert_eq!(version_of(&world.get::<Deployment>("shop").await), first);

    assert_eq!(
        world.ask("shop", "rollback", &format!("{third}@2")).await,
        format!("rolling back to {third}")
    );
    world.until_serving("shop", &third).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_second_rollback_during_a_rollout_rolls_forward_again() {
    let world = World::new("twice-during-a-rollout").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    // It never becomes ready, and the test continues before its deadline.
    let mut third = behaving(prebuilt(3), "never-ready");
    third["rollout"]["deadlineSeconds"] = 3600.into();
    world.apply("shop", third).await;
    world.until_ready("shop", "False", "Starting").await;
    let trial = world.get::<ProjectDeployment>("shop").await.status.unwrap().desired_version.unwrap();
    world.until_in_place("shop", &trial).await;

    assert_eq!(world.ask("shop", "rollback", "previous@1").await, format!("rolling back to {second}"));
    world.until_held("shop", &second).await;
    assert_eq!(world.ask("shop", "rollback", "previous@2").await, format!("rolling back to {first}"));
    world.until_held("shop", &first).await;
    assert_eq!(world.ask("shop", "rollback", "previous@3").await, format!("rolling back to {second}"));
    world.until_held("shop", &second).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_failed_trial_is_rolled_back_although_the_next_version_does_not_build() {
    let world = World::new("superseded-trial").await;
    let _operator = Operator::start(&world).await;
    let good = world.serve("shop", prebuilt(1)).await;
    let mut crashing = behaving(prebuilt(2), "never-ready");
    crashing["rollout"]["deadlineSeconds"] = 3600.into();
    world.apply("shop", crashing).await;
    let bad = world.until_ready("shop", "False", "Starting").await.status.unwrap().desired_version.unwrap();
    world.until_in_place("shop", &bad).await;
    world.apply("shop", commit(3)).await;
    world.fail_build(failed(Stage::Build, "BuildFailed", "RUN npm run build ended with exit code 1")).await;
    world.until_ready("shop", "False", "BuildFailed").await;
    world.time_is_over("shop").await;
    let left = world
        .until("shop", "the trial is judged", {
            let bad = bad.clone();
            move |object: Option<&ProjectDeployment>| {
                object.is_some_and(|object| state_of(object, &bad) == "Failed")
            }
        })
        .await;
    assert_eq!(left.status.unwrap().version.as_deref(), Some(good.as_str()));
    world.until_in_place("shop", &good).await;
    world.until_sets(1).await;
}
