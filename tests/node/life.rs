//! The life of one project under traffic, from the view of its visitors.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::client::until_answer;
use crate::harness::{World, holds, ready};
use crate::repository::Repository;
use crate::traffic::{Traffic, assert_none_lost};

const PACKAGE: &str =
    r#"{ "name": "shop", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;

/// A server that answers `words` and shuts down gracefully.
fn server(words: &str) -> String {
    format!(
        "const server = require('node:http').createServer((request, response) => response.end('{words}\\n'));\n\
         server.listen(process.env.PORT);\n\
         process.on('SIGTERM', () => server.close());\n"
    )
}

/// Long enough for a good version on a slow node.
const DEADLINE: i32 = 600;

fn spec(url: &str, deadline: i32) -> Value {
    // A stalled machine answers no probe, and the only pod would lose its visitors without any rollout. The startup
    // probe still checks every second whether a pod is ready initially.
    json!({
        "source": { "git": { "url": url, "ref": { "branch": "main" } } },
        "run": { "health": { "periodSeconds": 60 } },
        "rollout": { "deadlineSeconds": deadline, "minReadySeconds": 3 },
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn good_and_bad_commits_and_a_rollback_lose_no_request() {
    let world = World::new("life").await;
    let repository = Repository::new("life");
    repository.commit("One", &[("package.json", PACKAGE), ("server.js", &server("one"))]);
    world.deploy("shop", &spec(&repository.url, DEADLINE)).await;
    let first = world.until_serves("shop", "One").await;
    let port = first.node_port.unwrap();
    until_answer(&world.address, port, "one").await;
    let traffic = Traffic::start(&world.address, port, "a new commit is built and takes over");

    // A second commit replaces the first.
    repository.commit("Two", &[("server.js", &server("two"))]);
    world.annotate("shop", "doce.dev/deploy", "@two").await;
    let second = world.until_serves("shop", "Two").await;
    until_answer(&world.address, port, "two").await;
    assert_eq!(second.previous_version, first.version);

    // A commit that does not build leaves it serving. The status has stage, reason and the end of the log.
    traffic.phase("a commit that does not build");
    let broken = PACKAGE.replace("\"start\"", "\"build\": \"echo no such thing && exit 3\", \"start\"");
    repository.commit("Does not build", &[("package.json", &broken)]);
    world.annotate("shop", "doce.dev/deploy", "@broken").await;
    let failed = world.until_status("shop", "the build failed", |status| holds(status, "Stalled")).await;
    let failure = failed.failure.clone().unwrap();
    assert_eq!((failure.stage.as_str(), failure.reason.as_str()), ("Build", "BuildFailed"));
    assert!(
        failure.message.contains("npm run build") && failure.message.contains("exit code 3"),
        "{}",
        failure.message
    );
    assert!(failure.log.contains("no such thing"), "{}", failure.log);
    assert_eq!(failed.version, second.version);
    assert!(holds(&failed, "Available"));

    // A commit that never becomes healthy is rolled back to the last good one within its deadline.
    traffic.phase("a commit that never becomes healthy");
    world.deploy("shop", &spec(&repository.url, 20)).await;
    let deaf = "setInterval(() => {}, 1000);\n";
    repository.commit("Never listens", &[("package.json", PACKAGE), ("server.js", deaf)]);
    world.annotate("shop", "doce.dev/deploy", "@deaf").await;
    let left = world
        .until_status("shop", "the rollout failed", |status| {
            ready(status) == Some(("False".into(), "RolloutFailed".into()))
        })
        .await;
    let failure = left.failure.clone().unwrap();
    assert_eq!(failure.stage, "Rollout", "{failure:?}");
    let back = second.version.clone();
    world
        .until_status("shop", "only the last good version runs", move |status| {
            status.version == back && status.replicas == Some(1)
        })
        .await;

    world.deploy("shop", &spec(&repository.url, DEADLINE)).await;

    // A rollback needs no Job. The test prints its duration, and make bench-rollback measures it.
    traffic.phase("a rollback");
    let jobs = names(&world.list::<Job>().await);
    world.annotate("shop", "doce.dev/rollback", "previous@back").await;
    let took = until_answer(&world.address, port, "one").await;
    println!("rollback: first old answer after {took:?}");
    let held = world
        .until_status("shop", "the rollback holds", |status| {
            ready(status) == Some(("True".into(), "Held".into()))
        })
        .await;
    assert_eq!(held.version, first.version);
    assert_eq!(names(&world.list::<Job>().await), jobs);

    // Once settled, there are two usable ReplicaSets, and the same spec creates nothing.
    settled(&world, &first.version.unwrap(), &second.version.unwrap()).await;
    at_rest(&world).await;
    let before = fingerprint(&world).await;
    let again = world.deploy("shop", &spec(&repository.url, DEADLINE)).await;
    assert_eq!(again.status.unwrap().observed_generation, again.metadata.generation.unwrap());
    assert_eq!(fingerprint(&world).await, before);
    let status = world.api::<ProjectDeployment>().get("shop").await.unwrap().status.unwrap();
    assert_eq!(status.node_port, Some(port));
    assert_none_lost(&traffic.end().await);
}

/// Waits until at most two ReplicaSets are left, those of the two good versions.
async fn settled(world: &World, serving: &str, kept: &str) {
    let mut versions: Vec<String> = vec![serving.to_owned(), kept.to_owned()];
    versions.sort();
    for set in world.list::<ReplicaSet>().await {
        if !versions.contains(&set.labels()["doce.dev/version"]) {
            world.until_gone::<ReplicaSet>(&set.name_any()).await;
        }
    }
    let sets = world.list::<ReplicaSet>().await;
    let mut there: Vec<String> = sets.iter().map(|set| set.labels()["doce.dev/version"].clone()).collect();
    there.sort();
    assert_eq!(there, versions);
}

/// Waits until Kubernetes has no more news of ending pods.
async fn at_rest(world: &World) {
    world.until_pods("one pod is left", |pods| pods.len() == 1).await;
    let told = |deployment: &Deployment| {
        deployment.status.as_ref().is_some_and(|status| {
            status.observed_generation == deployment.metadata.generation
                && status.replicas == Some(1)
                && status.terminating_replicas.unwrap_or(0) == 0
        })
    };
    world.until("shop", "it counts one pod", |there: Option<&Deployment>| there.is_some_and(told)).await;
    for set in world.list::<ReplicaSet>().await {
        let told = |set: &ReplicaSet| {
            let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
            set.status.as_ref().is_some_and(|status| {
                status.observed_generation == set.metadata.generation
                    && Some(status.replicas) == wanted
                    && status.terminating_replicas.unwrap_or(0) == 0
            })
        };
        let what = "it counts its pods";
        world.until(&set.name_any(), what, |there: Option<&ReplicaSet>| there.is_some_and(told)).await;
    }
}

/// Names and resource versions of everything that an unneeded write would change.
async fn fingerprint(world: &World) -> Vec<String> {
    let mut all = vec![];
    all.extend(marks(&world.list::<Deployment>().await));
    all.extend(marks(&world.list::<Service>().await));
    all.extend(marks(&world.list::<ReplicaSet>().await));
    all.extend(marks(&world.list::<k8s_openapi::api::apps::v1::ControllerRevision>().await));
    all.extend(names(&world.list::<Job>().await));
    all
}

fn marks<K: kube::Resource>(objects: &[K]) -> Vec<String> {
    objects
        .iter()
        .map(|object| format!("{}@{}", object.name_any(), object.resource_version().unwrap_or_default()))
        .collect()
}

fn names<K: kube::Resource>(objects: &[K]) -> Vec<String> {
    objects.iter().map(kube::ResourceExt::name_any).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_stopped_project_keeps_its_port_and_a_deleted_one_leaves_nothing() {
    let world = World::new("stop").await;
    let image = json!({ "reference": "docker.io/library/busybox:1.37" });
    let mut spec = json!({
        "source": { "image": image },
        "run": { "command": ["sh", "-c", "mkdir -p /tmp/www && echo here > /tmp/www/index.html && exec httpd -f -p $PORT -h /tmp/www"] },
        "rollout": { "deadlineSeconds": DEADLINE, "minReadySeconds": 1 },
    });
    world.deploy("site", &spec).await;
    let running = world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    let port = running.node_port.unwrap();
    until_answer(&world.address, port, "here").await;

    spec["state"] = json!("Stopped");
    world.deploy("site", &spec).await;
    let stopped = world
        .until_status("site", "it is stopped", |status| {
            ready(status) == Some(("True".into(), "Stopped".into()))
        })
        .await;
    assert_eq!((stopped.node_port, stopped.replicas), (Some(port), Some(0)));

    spec["state"] = json!("Running");
    world.deploy("site", &spec).await;
    let again = world
        .until_status("site", "it serves again", |status| {
            ready(status) == Some(("True".into(), "Serving".into()))
        })
        .await;
    assert_eq!((again.node_port, again.version), (Some(port), running.version));
    until_answer(&world.address, port, "here").await;

    let _ = world
        .api::<ProjectDeployment>()
        .delete("site", &kube::api::DeleteParams::background())
        .await
        .unwrap();
    for pod in world.list::<Pod>().await {
        world.until_gone::<Pod>(&pod.name_any()).await;
    }
}
