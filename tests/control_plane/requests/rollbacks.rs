//! `doce.dev/rollback`: back, forward again, the end of a hold, and rejections.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::harness::reading::message;
use crate::harness::{Operator, World, behaving, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_second_rollback_to_previous_rolls_forward_again() {
    let world = World::new("rollback-twice").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    let sets: Vec<String> = world.until_sets(2).await.iter().map(ResourceExt::name_any).collect();

    assert_eq!(world.ask("shop", "rollback", "previous@1").await, format!("rolling back to {first}"));
    world.until_serving("shop", &first).await;
    let held = world.until_ready("shop", "True", "Held").await;
    assert!(message(&held, "Ready").contains(&second), "{}", message(&held, "Ready"));
    assert_eq!(held.status.unwrap().previous_version.as_deref(), Some(second.as_str()));

    assert_eq!(world.ask("shop", "rollback", "previous@2").await, format!("rolling back to {second}"));
    world.until_serving("shop", &second).await;
    world.until_ready("shop", "True", "Serving").await;
    let after: Vec<String> = world.list::<ReplicaSet>().await.iter().map(ResourceExt::name_any).collect();
    assert!(after.len() == 2 && after.iter().all(|set| sets.contains(set)), "{sets:?} became {after:?}");
    assert!(world.list::<Job>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_by_prefix_reaches_a_version_without_a_replica_set() {
    let world = World::new("rollback-prefix").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    world.serve("shop", prebuilt(2)).await;
    world.serve("shop", prebuilt(3)).await;
    world.until_sets(2).await;
    let prefix = &first[1..7]; // Without the v, which a user may omit.
    assert_eq!(
        world.ask("shop", "rollback", &format!("{prefix}@1")).await,
        format!("rolling back to {first}")
    );
    world.until_serving("shop", &first).await;
    world.until_ready("shop", "True", "Held").await;
    assert_eq!(world.ask("shop", "rollback", &format!("{first}@2")).await, format!("{first} already runs"));
    world.until_ready("shop", "True", "Held").await;
    world.until_sets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_hold_survives_the_same_spec_and_ends_with_a_third_version() {
    let world = World::new("hold-ends").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.ask("shop", "rollback", "previous@1").await;
    world.until_serving("shop", &first).await;

    let mut same = prebuilt(2);
    same["replicas"] = 2.into();
    world.apply("shop", same).await;
    world.until_ready("shop", "True", "Held").await;
    let remove = serde_json::json!({ "metadata": { "annotations": { "doce.dev/rollback": null } } });
    world.patch::<doce_operator::crd::ProjectDeployment>("shop", remove).await;

    let third = world.serve("shop", prebuilt(3)).await;
    assert!(third != first && third != second);
    assert_eq!(world.serve("shop", prebuilt(2)).await, second, "the hold has ended");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_impossible_rollback_is_rejected_with_the_available_versions() {
    let world = World::new("rollback-refused").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    assert_eq!(
        world.ask("shop", "rollback", "previous@1").await,
        "rejected: there is no other version that was live"
    );
    let unknown = world.ask("shop", "rollback", "v00000000@1").await;
    assert!(
        unknown.contains("\"v00000000\" matches no version, or more than one") && unknown.contains(&first),
        "{unknown}"
    );

    let failed = world.fail("shop", behaving(prebuilt(2), "crash"), "RolloutFailed").await;
    let bad = failed.status.unwrap().desired_version.unwrap();
    world.until_ready("shop", "False", "RolloutFailed").await;
    let again = world.ask("shop", "rollback", &format!("{bad}@1")).await;
    assert!(
        again.starts_with(&format!("rejected: {bad} failed before")) && again.contains("doce.dev/retry"),
        "{again}"
    );
    let status = world.until_ready("shop", "False", "RolloutFailed").await.status.unwrap();
    assert_eq!(status.version.as_deref(), Some(first.as_str()), "the running version stays");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn at_most_two_replica_sets_are_kept_and_both_are_usable() {
    let world = World::new("two-sets").await;
    let _operator = Operator::start(&world).await;
    let bad = |n| behaving(prebuilt(n), "crash");
    let mut good = vec![world.serve("shop", prebuilt(1)).await, world.serve("shop", prebuilt(2)).await];
    usable(&world, &good).await;
    world.fail("shop", bad(3), "RolloutFailed").await;
    usable(&world, &good).await;
    world.fail("shop", bad(4), "RolloutFailed").await;
    usable(&world, &good).await;
    good.push(world.serve("shop", prebuilt(5)).await);
    usable(&world, &good[1..]).await;
    world.ask("shop", "rollback", "previous@1").await;
    world.until_serving("shop", &good[1]).await;
    world.fail("shop", bad(6), "RolloutFailed").await;
    usable(&world, &good[1..]).await;
    good.push(world.serve("shop", prebuilt(7)).await);
    usable(&world, &[good[1].clone(), good[3].clone()]).await;
}

/// Once settled, exactly the `ReplicaSets` of the last two live versions remain.
async fn usable(world: &World, versions: &[String]) {
    let what = format!("those of {versions:?}");
    let version = |set: &ReplicaSet| {
        doce_operator::version::short(
            &set.spec.clone().unwrap().template.unwrap().metadata.unwrap().annotations.unwrap()["doce.dev/version"],
        )
    };
    let just = |sets: &[ReplicaSet]| {
        let mut there: Vec<String> = sets.iter().map(version).collect();
        there.sort();
        let mut wanted = versions.to_vec();
        wanted.sort();
        there == wanted
    };
    world.until_list(&what, just).await;
}
