//! Sources that the API server accepts but that do not exist. The operator reports and retries them; nothing else is
//! affected.

use doce_operator::crd::ProjectDeploymentStatus;
use serde_json::json;

use crate::harness::{World, holds, is_at_fault};
use crate::repository::Repository;

fn unavailable(status: &ProjectDeploymentStatus, word: &str) -> bool {
    is_at_fault(status, "SourceUnavailable", word)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_missing_branch_is_reported_and_deployed_once_it_is_pushed() {
    let world = World::new("branch").await;
    let repository = Repository::new("branch");
    repository.commit("Main", &[("index.html", "main")]);
    let source = json!({ "git": { "url": repository.url, "ref": { "branch": "mian" } } });
    world.deploy("site", &json!({ "source": source, "rollout": { "minReadySeconds": 1 } })).await;
    let status =
        world.until_status("site", "the branch is missing", |status| unavailable(status, "mian")).await;
    let message = status.failure.unwrap().message;
    assert!(message.contains("main"), "it names the existing branches: {message}");

    let right = json!({ "git": { "url": repository.url, "ref": { "branch": "main" } } });
    world.deploy("site", &json!({ "source": right, "rollout": { "minReadySeconds": 1 } })).await;
    world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_host_that_does_not_exist_is_reported() {
    let world = World::new("host").await;
    let source = json!({ "git": { "url": "http://nowhere.invalid/shop.git" } });
    world.deploy("site", &json!({ "source": source })).await;
    world.until_status("site", "the host is reported", |status| unavailable(status, "nowhere.invalid")).await;
}
