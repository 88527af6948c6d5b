//! `status` is no memory: the operator restores a lost status and does nothing twice.

use doce_operator::crd::ProjectDeployment;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::writes_to_shop;
use crate::harness::stories::{self, Story};
use crate::harness::{Operator, World};

async fn comes_back(story: &Story, status: Value) {
    let world = World::new(&format!("status-{}", story.name)).await;
    let operator = Operator::start(&world).await;
    world.with_canary().await;
    if let Some(before) = story.before {
        before(&world).await;
    }
    (story.then)(&world).await;
    let picture = world.picture("shop").await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();

    world.set_status(&status).await;
    world.until_picture("shop", &picture, "status deleted while an operator runs").await;
    world.looked().await;
    operator.journal.at_rest().await;
    let written = writes_to_shop(&operator, before);
    assert!(written.len() == 1 && written[0].ends_with("/projectdeployments/shop/status"), "{written:?}");
    operator.stop().await;

    world.set_status(&status).await;
    let operator = Operator::start(&world).await;
    world.until_picture("shop", &picture, "status deleted while no operator runs").await;
    world.looked().await;
    operator.journal.at_rest().await;
    let written = writes_to_shop(&operator, 0);
    assert!(written.len() == 1 && written[0].ends_with("/projectdeployments/shop/status"), "{written:?}");
    assert_eq!(world.picture("shop").await, picture);
}

impl World {
    async fn set_status(&self, status: &Value) {
        let patch = json!({ "status": status });
        self.api::<ProjectDeployment>()
            .patch_status("shop", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_status_of_a_rollback_is_restored_and_the_rollback_does_not_run_twice() {
    comes_back(&stories::ROLLBACK, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_status_of_a_restart_is_restored_and_the_pods_do_not_restart() {
    comes_back(&stories::RESTART, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_status_of_a_failed_build_is_restored_without_a_build() {
    comes_back(&stories::BUILD_FAILURE, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_status_of_a_failed_rollout_is_restored_and_the_version_is_not_retried() {
    comes_back(&stories::NEVER_READY, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_status_of_a_branch_is_restored_without_a_lookup() {
    comes_back(&stories::BRANCH_MOVES, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_forged_status_is_corrected() {
    let lies = json!({
        "version": "v00000000", "previousVersion": "v00000001", "nodePort": 1, "phase": "Failed", "handled": null, "history": null,
        "failure": { "stage": "Rollout", "reason": "Lie", "message": "a lie" },
    });
    comes_back(&stories::ROLLBACK, lies).await;
}
