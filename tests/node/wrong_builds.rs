//! Builds that fail on the node in ways that no played pod shows.

use doce_operator::crd::ProjectDeploymentStatus;
use serde_json::json;

use crate::harness::{World, is_at_fault};
use crate::repository::Repository;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_build_that_needs_more_memory_than_it_may_have_is_told_from_one_that_fails() {
    let world = World::new("memory").await;
    let repository = Repository::new("memory");
    // Its buffer grows with a line that never ends.
    let dockerfile = "FROM docker.io/library/busybox:1.37\nRUN tail -n 1 /dev/zero\n";
    let commit = repository.commit("Greedy", &[("Dockerfile", dockerfile)]);
    let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
    let build = json!({ "resources": { "limits": { "memory": "300Mi" } } });
    world.deploy("shop", &json!({ "source": source, "build": build })).await;
    let short = |status: &ProjectDeploymentStatus| {
        is_at_fault(status, "OutOfMemory", "spec.build.resources.limits.memory")
    };
    let status = world.until_status("shop", "memory is named", short).await;
    assert_eq!(status.failure.unwrap().reason, "OutOfMemory");
}
