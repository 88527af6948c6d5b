//! Every source and strategy, built for real.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::json;

use crate::client::until_answer;
use crate::harness::{World, holds};
use crate::repository::Repository;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_static_site_in_a_config_map_is_built_and_a_change_is_a_new_version() {
    let world = World::new("config-map").await;
    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "first" } })).await;
    let spec = json!({ "source": { "configMap": { "name": "pages" } }, "rollout": { "minReadySeconds": 1 } });
    world.deploy("site", &spec).await;
    let first = world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    until_answer(&world.address, first.node_port.unwrap(), "first").await;

    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "second" } })).await;
    let before = first.version.clone();
    let second = world
        .until_status("site", "the change serves", move |status| {
            holds(status, "Ready") && status.version != before
        })
        .await;
    assert_eq!(second.node_port, first.node_port);
    until_answer(&world.address, first.node_port.unwrap(), "second").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_dockerfile_in_a_subdirectory_is_built_once_per_commit_and_keeps_its_user() {
    let world = World::new("dockerfile").await;
    let repository = Repository::new("dockerfile");
    let dockerfile = "FROM docker.io/library/busybox:1.37\nARG WORDS=nothing\nCOPY . /www\nRUN echo \"$WORDS\" > /www/index.html\nUSER 1234\n\
        CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let commit = repository.commit(
        "Site",
        &[("apps/site/Dockerfile.prod", dockerfile), ("apps/site/Dockerfile", "FROM scratch\n")],
    );
    let source =
        json!({ "git": { "url": repository.url, "ref": { "commit": commit }, "path": "apps/site" } });
    let spec = json!({ "source": source, "build": { "args": { "WORDS": "from an argument" } }, "rollout": { "minReadySeconds": 1 } });
    world.deploy("site", &spec).await;
    let status = world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    until_answer(&world.address, status.node_port.unwrap(), "from an argument").await;
    let pods = world.list::<Pod>().await;
    let app = pods
        .iter()
        .find(|pod| pod.metadata.labels.as_ref().is_some_and(|labels| labels["doce.dev/role"] == "app"))
        .unwrap();
    let context = app.spec.as_ref().unwrap().security_context.clone().unwrap();
    assert_eq!((context.run_as_user, context.run_as_non_root), (Some(1234), Some(true)));

    // A change of spec.run is a new version without a build.
    let mut other = spec.clone();
    other["run"] = json!({ "env": [{ "name": "COLOUR", "value": "blue" }] });
    world.deploy("site", &other).await;
    let before = status.version.clone();
    world
        .until_status("site", "the new version serves", move |status| {
            holds(status, "Ready") && status.version != before
        })
        .await;
    assert_eq!(world.list::<Job>().await.len(), 1);
}
