//! The operator dies at each single write of a life, before the API server has it or right after, and a new one ends
//! in the same state with the same number of objects as a life without a death. Each run has a namespace of its own.

#[path = "crashes/run.rs"]
pub(crate) mod run;
#[path = "crashes/stories.rs"]
pub(crate) mod stories;

use doce_operator::crd::ProjectDeployment;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};

use crate::harness::{Death, Operator, Options, World, prebuilt};
use run::{LANES, every_death};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_first_deploy_survives_a_death_at_each_write() {
    every_death(&stories::FIRST_DEPLOY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_branch_and_a_new_commit_on_it_survive_a_death_at_each_write() {
    every_death(&stories::BRANCH_MOVES).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_new_version_survives_a_death_at_each_write() {
    every_death(&stories::NEW_VERSION).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_survives_a_death_at_each_write() {
    every_death(&stories::ROLLBACK).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_failure_survives_a_death_at_each_write() {
    every_death(&stories::BUILD_FAILURE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_return_from_a_version_that_never_becomes_ready_survives_a_death_at_each_write() {
    every_death(&stories::NEVER_READY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_return_from_a_version_that_crashes_survives_a_death_at_each_write() {
    every_death(&stories::CRASHING).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restart_survives_a_death_at_each_write() {
    every_death(&stories::RESTART).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_that_is_deleted_after_a_death_at_any_write_of_its_first_deploy_leaves_nothing() {
    let writes = run::undisturbed(&stories::FIRST_DEPLOY).await.writes.len();
    join_all((1..=writes).map(deleted_after_death)).await;
}

async fn deleted_after_death(number: usize) {
    let _lane = LANES.acquire().await.unwrap();
    let world = World::new("crash-delete").await;
    let operator =
        Operator::start_with(&world, Options { death: Some(Death::After(number)), ..Options::default() })
            .await;
    let story = (stories::FIRST_DEPLOY.then)(&world);
    tokio::select! {
        () = operator.journal.died() => {}
        () = story => return, // This life took fewer writes.
    }
    drop(operator);
    world.delete::<ProjectDeployment>("shop").await;
    let operator = Operator::start(&world).await;
    world.until_nothing_of("shop").await;
    world.apply("canary", run::canary()).await;
    world.until_ready("canary", "True", "Stopped").await;
    world.until_nothing_of("shop").await;
    let writes = operator.journal.writes();
    let of_shop: Vec<_> = writes.iter().filter(|write| write.path.contains("/shop")).collect();
    let late = of_shop.iter().filter(|write| write.method != "DELETE" && write.status < 300).count();
    assert_eq!(late, 0, "written for a project that was deleted: {of_shop:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_delete_takes_no_write_with_the_operator_running_and_with_it_down() {
    let world = World::new("delete").await;
    let operator = Operator::start(&world).await;
    for name in ["shop", "blog"] {
        world.apply(name, prebuilt(1)).await;
        world.until_ready(name, "True", "Serving").await;
    }
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
    let writes = operator.journal.writes().split_off(before);
    assert!(writes.is_empty(), "{writes:?}");
    drop(operator);
    world.delete::<ProjectDeployment>("blog").await;
    world.until_nothing_of("blog").await;
    let operator = Operator::start(&world).await;
    world.apply("canary", run::canary()).await;
    world.until_ready("canary", "True", "Stopped").await;
    let writes = operator.journal.writes();
    assert!(writes.iter().all(|write| !write.path.contains("blog")), "{writes:?}");
    world.until_nothing_of("blog").await;
}

impl World {
    /// Waits, by watch, until a project of that name has no child left.
    pub(crate) async fn until_nothing_of(&self, project: &str) {
        let labels = format!("doce.dev/project={project}");
        tokio::join!(
            self.until_labelled::<ControllerRevision>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Deployment>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<ReplicaSet>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Service>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Job>(&labels, "none is left", <[_]>::is_empty),
            self.until_labelled::<Pod>(&labels, "none is left", <[_]>::is_empty),
        );
    }
}
