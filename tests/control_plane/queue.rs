//! The queue of builds: suspended Jobs, released oldest first within the limit.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::harness::{Built, Operator, Options, World, commit};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_beyond_the_limit_waits_for_its_turn_and_says_so() {
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
