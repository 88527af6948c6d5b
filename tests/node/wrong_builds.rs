//! Build failures on a real node that a simulated pod cannot show.

use doce_operator::crd::{ProjectDeployment, ProjectDeploymentStatus};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{World, is_at_fault};
use crate::repository::Repository;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_step_that_fills_the_disk_is_stopped_at_the_limit_of_the_platform() {
    let world = World::new("disk").await;
    world.enforces("restricted").await;
    // The kubelet looks at the disk about once a minute.
    let dockerfile = "FROM docker.io/library/busybox:1.37\n\
        RUN dd if=/dev/zero of=/fill bs=1M count=4096 && sleep 600\n";
    let pages = json!({ "data": { "index.html": "never", "Dockerfile": dockerfile } });
    world.apply::<ConfigMap>("pages", pages).await;
    world.deploy("greedy", &json!({ "source": { "configMap": { "name": "pages" } } })).await;
    let full = |status: &ProjectDeploymentStatus| is_at_fault(status, "OutOfDisk", "ephemeral-storage");
    world.until_status("greedy", "the disk is reported", full).await;
    let _ = world.api::<ProjectDeployment>().delete("greedy", &DeleteParams::foreground()).await.unwrap();
    world.until_gone::<ProjectDeployment>("greedy").await;
}

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
