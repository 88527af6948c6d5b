//! The build queue: suspended Jobs, released oldest first within the limit.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::namespaced::PAUSE;
use crate::harness::reading::message;
use crate::harness::{Built, Operator, Options, World, commit, is};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_beyond_the_limit_is_queued_and_reported() {
    let world = World::new("queue").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    world.apply("first", commit(1)).await;
    let (runs, _) = world.running_build().await;
    world.apply("second", commit(2)).await;
    let queued = world.until_ready("second", "False", "Queued").await;
    let waits = queued.status.unwrap().build.unwrap().id;
    let suspended = |job: &Job| job.spec.as_ref().and_then(|spec| spec.suspend);
    assert_eq!(suspended(&world.get::<Job>(&waits).await), Some(true));
    assert_eq!(suspended(&world.get::<Job>(&runs.name_any()).await), Some(false));

    assert_eq!(world.finish_build(Built::default()).await, runs.name_any());
    world.until_ready("second", "False", "Building").await;
    assert_eq!(world.finish_build(Built::default()).await, waits);
    world.until_ready("first", "True", "Serving").await;
    world.until_ready("second", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn queued_builds_show_their_position_and_move_up() {
    let world = World::new("places").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    world.apply("first", commit(1)).await;
    world.running_build().await;
    let at = |place: Option<i32>, says: &'static str| {
        move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let build = object.status.clone().unwrap_or_default().build.unwrap_or_default();
                build.position == place && message(object, "Ready").contains(says)
            })
        }
    };
    world.apply("second", commit(2)).await;
    world.until("second", "it is next", at(Some(1), "is 1st in the queue")).await;
    world.apply("third", commit(3)).await;
    world.until("third", "one is before it", at(Some(2), "is 2nd in the queue")).await;

    world.finish_build(Built::default()).await;
    world.until("second", "it has left the queue", at(None, "is being built")).await;
    world.until("third", "it has moved up", at(Some(1), "is 1st in the queue")).await;
    world.finish_build(Built::default()).await;
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rejected_start_is_reported_and_the_queue_goes_on() {
    let world = World::new("rejected-start").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    world.apply("first", commit(1)).await;
    world.running_build().await;
    world.apply("blocked", commit(2)).await;
    let blocked = world.until_ready("blocked", "False", "Queued").await.status.unwrap().build.unwrap().id;
    world.apply("third", commit(3)).await;
    world.until_ready("third", "False", "Queued").await;
    let rules = json!([{ "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["jobs"] }]);
    let validation = json!({
        "expression": "object.metadata.labels['doce.dev/project'] != 'blocked' || object.spec.suspend",
        "message": "no build of blocked may start",
    });
    world.enforce(&rules, &validation).await;
    let start = json!({ "spec": { "suspend": false } });
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    while world.api::<Job>().patch(&blocked, &dry, &Patch::Merge(&start)).await.is_ok() {
        tokio::time::sleep(PAUSE).await; // A policy takes effect a moment after its creation.
    }

    world.finish_build(Built::default()).await;
    world.until_ready("third", "False", "Building").await;
    let told = world.until_says("blocked", &["rejects the start", "no build of blocked may start"]).await;
    assert!(is(&told, "Reconciling", "True", "PodForbidden"), "it is tried again");
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;

    world.enforce_nothing().await;
    world.finish_build(Built::default()).await;
    world.until_ready("blocked", "True", "Serving").await;
}
