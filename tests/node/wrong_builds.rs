//! Build failures on a real node that a simulated pod cannot show.

use doce_operator::crd::ProjectDeploymentStatus;
use serde_json::json;

use crate::harness::{World, is_at_fault};
use crate::repository::Repository;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_build_out_of_memory_has_its_own_reason() {
    let world = World::new("memory").await;
    let repository = Repository::new("memory");
    // A line without an end grows its buffer.
    let dockerfile = "FROM docker.io/library/busybox:1.37\nRUN tail -n 1 /dev/zero\n";
    let commit = repository.commit("Greedy", &[("Dockerfile", dockerfile)]);
    let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
    let build = json!({ "resources": { "limits": { "memory": "300Mi" } } });
    world.deploy("shop", &json!({ "source": source, "build": build })).await;
    let short = |status: &ProjectDeploymentStatus| {
        is_at_fault(status, "OutOfMemory", "spec.build.resources.limits.memory")
    };
    let status = world.until_status("shop", "memory is reported", short).await;
    assert_eq!(status.failure.unwrap().reason, "OutOfMemory");
}
