//! Sources that the API server takes and the world does not have: named, tried again, nothing else disturbed.

use doce_operator::crd::ProjectDeploymentStatus;
use serde_json::json;

use crate::harness::{World, holds, is_at_fault};
use crate::repository::Repository;

fn unavailable(status: &ProjectDeploymentStatus, word: &str) -> bool {
    is_at_fault(status, "SourceUnavailable", word)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_branch_that_is_not_there_is_named_and_found_once_it_is_pushed() {
    let world = World::new("branch").await;
    let repository = Repository::new("branch");
    repository.commit("Main", &[("index.html", "main")]);
    let source = json!({ "git": { "url": repository.url, "ref": { "branch": "mian" } } });
    world.deploy("site", &json!({ "source": source, "rollout": { "minReadySeconds": 1 } })).await;
    let status =
        world.until_status("site", "the branch is missed", |status| unavailable(status, "mian")).await;
    let message = status.failure.unwrap().message;
    assert!(message.contains("main"), "it names what there is: {message}");

    let right = json!({ "git": { "url": repository.url, "ref": { "branch": "main" } } });
    world.deploy("site", &json!({ "source": right, "rollout": { "minReadySeconds": 1 } })).await;
    world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_host_that_does_not_exist_is_named() {
    let world = World::new("host").await;
    let source = json!({ "git": { "url": "http://nowhere.invalid/shop.git" } });
    world.deploy("site", &json!({ "source": source })).await;
    world.until_status("site", "the host is named", |status| unavailable(status, "nowhere.invalid")).await;
}
