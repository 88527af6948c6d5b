//! What visitors notice while versions, operator and node change: 50 requests per second, phase by phase. Every version
//! is the same image with other variables, so only the rollouts take time.

use std::collections::{BTreeMap, BTreeSet};

use doce_operator::crd::ProjectDeploymentStatus;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::administrator::{Drain, restart_operator};
use crate::client::until_answer;
use crate::harness::{World, holds, ready};
use crate::pods::{Exits, is_ending, is_ready, is_unscheduled, of_version};
use crate::traffic::{Failure, Phase, Traffic, assert_none_lost};

const PROJECT: &str = "kiosk";

/// Answers `WORDS`, shuts down gracefully, and exits `EXIT_AFTER` milliseconds after the first visitor's request
/// (probes of the kubelet do not count). With 0, it never answers.
const SERVER: &str = "\
    const after = process.env.EXIT_AFTER;
    if (after === '0') process.exit(3);
    let asked = false;
    const server = require('node:http').createServer((request, response) => {
        const visitor = !(request.headers['user-agent'] || '').startsWith('kube-probe/');
        if (visitor && after && !asked) setTimeout(() => process.exit(3), after);
        asked ||= visitor;
        response.end(process.env.WORDS);
    });
    server.listen(process.env.PORT);
    process.on('SIGTERM', () => server.close());";

/// Exit code of SERVER.
const EXIT_CODE: i32 = 3;

/// Time after the kubelet reports the end of a container in which requests may still reach it. The report passes two
/// more watches before it reaches the node's rules.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(3);

/// Long enough for a good version on a slow node.
const DEADLINE: i32 = 600;
/// For versions that fail: the tests wait for the rollback.
const SHORT_DEADLINE: i32 = 60;

fn spec(env: &Value, guard: i32, deadline: i32) -> Value {
    // A stalled machine answers no probe, and the only pod would lose its visitors without any rollout. The startup
    // probe still checks every second whether a pod is ready initially.
    let health = json!({ "periodSeconds": 60 });
    json!({
        "source": { "image": { "reference": "docker.io/library/node:22-bookworm-slim" } },
        "run": { "command": ["node", "-e", SERVER], "env": env, "health": health },
        "rollout": { "deadlineSeconds": deadline, "minReadySeconds": guard },
    })
}

fn says(words: &str) -> Value {
    json!([{ "name": "WORDS", "value": words }])
}

fn exits(words: &str, after: u32) -> Value {
    json!([{ "name": "WORDS", "value": words }, { "name": "EXIT_AFTER", "value": after.to_string() }])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn visitors_lose_requests_only_when_a_version_dies_while_it_answers() {
    let world = World::undisturbed("traffic").await;
    world.deploy(PROJECT, &spec(&says("one"), 1, DEADLINE)).await;
    let first = serves(&world, None).await;
    let port = first.node_port.unwrap();
    until_answer(&world.address, port, "one").await;

    let traffic = Traffic::start(&world.address, port, "a new version");
    world.deploy(PROJECT, &spec(&says("two"), 3, DEADLINE)).await;
    let second = serves(&world, first.version.as_deref()).await;
    until_answer(&world.address, port, "two").await;

    traffic.phase("a version that crashes at once");
    let pods = serving_pods(&world, &second).await;
    world.deploy(PROJECT, &spec(&exits("never", 0), 3, SHORT_DEADLINE)).await;
    returns(&world, &second).await;
    assert_eq!(serving_pods(&world, &second).await, pods, "the pods that served never left");

    traffic.phase("a version that exits 8 s after it was asked, guarded for 20 s");
    let ended = Exits::watch(&world, EXIT_CODE);
    world.deploy(PROJECT, &spec(&exits("brief", 8000), 20, SHORT_DEADLINE)).await;
    returns(&world, &second).await;
    assert_eq!(serving_pods(&world, &second).await, pods, "the pods that served never left");

    traffic.phase("a rollback");
    let sets: BTreeSet<String> = names(&world.list::<ReplicaSet>().await);
    world.annotate(PROJECT, "doce.dev/rollback", "previous@back").await;
    until_answer(&world.address, port, "one").await;
    let held =
        world.until_status(PROJECT, "the rollback holds", |status| reason(status, "True", "Held")).await;
    assert_eq!(held.version, first.version);
    assert!(names(&world.list::<ReplicaSet>().await).is_subset(&sets), "going back makes nothing new");

    traffic.phase("a new version, and the operator is replaced halfway");
    world.deploy(PROJECT, &spec(&says("three"), 5, DEADLINE)).await;
    let known = [&first, &second].map(|status| status.version.clone().unwrap());
    let is_new = |pod: &Pod| !is_ending(pod) && !known.iter().any(|version| of_version(pod, version));
    world.until_pods("the rollout has begun", |pods| pods.iter().any(is_new)).await;
    restart_operator().await;
    let third = serves(&world, first.version.as_deref()).await;
    until_answer(&world.address, port, "three").await;

    traffic.phase("a second replica");
    let mut two = spec(&says("three"), 5, DEADLINE);
    two["replicas"] = json!(2);
    world.deploy(PROJECT, &two).await;
    world
        .until_status(PROJECT, "two pods serve", |status| {
            holds(status, "Ready") && status.replicas == Some(2)
        })
        .await;

    traffic.phase("the node is drained and comes back");
    node_drained(&world, &third).await;

    let phases = traffic.end().await;
    let (dying, others): (Vec<Phase>, Vec<Phase>) =
        phases.into_iter().partition(|phase| phase.name.contains("exits"));
    assert_none_lost(&others);
    assert_explained(&dying[0], &ended.seen());
}

/// During the guard both versions answer: this shows that a version dies from requests. Visitors that are connected to
/// it at that moment, or routed to it before the node notices, get no answer. No other request may be lost.
fn assert_explained(phase: &Phase, ends: &BTreeMap<Timestamp, Timestamp>) {
    // The client records a failed request when it gives up, up to half a minute after it was sent.
    let explained = |failure: &Failure| {
        ends.iter().any(|(end, told)| *end <= failure.at && failure.sent <= *told + ON_ITS_WAY)
    };
    let unexplained = phase.failures.iter().filter(|failure| !explained(failure));
    let unexplained: Vec<String> = unexplained.map(ToString::to_string).collect();
    assert!(unexplained.is_empty(), "{phase}; container ends and their reports: {ends:?}: {unexplained:#?}");
    assert!(phase.answers.contains_key("brief"), "it got requests: {phase}");
}

/// Both pods must leave the node, and their disruption budget lets only one go at a time. Their replacements wait until
/// the node accepts pods again.
async fn node_drained(world: &World, serving: &ProjectDeploymentStatus) {
    let selector = json!({ "matchLabels": { "doce.dev/project": PROJECT, "doce.dev/role": "app" } });
    let budget = json!({ "spec": { "minAvailable": 1, "selector": selector } });
    world.apply::<PodDisruptionBudget>(PROJECT, budget).await;
    world
        .until::<PodDisruptionBudget>(
            PROJECT,
            "the budget counts two pods",
            |budget: Option<&PodDisruptionBudget>| {
                let status = budget.and_then(|budget| budget.status.as_ref());
                status.is_some_and(|status| status.current_healthy == 2)
            },
        )
        .await;
    let before = serving_pods(world, serving).await;
    assert_eq!(before.len(), 2);

    let drain = Drain::begin(PROJECT);
    world.until_pods("a replacement waits for a node", |pods| pods.iter().any(is_unscheduled)).await;
    drain.take_pods_again().await;
    world
        .until_pods("two new pods are ready", |pods| {
            pods.iter().filter(|pod| is_ready(pod) && !before.contains(&pod.name_any())).count() == 2
        })
        .await;
    world.until_status(PROJECT, "it is Ready again", |status| holds(status, "Ready")).await;
}

/// Waits until another version than `before` serves and is Ready.
async fn serves(world: &World, before: Option<&str>) -> ProjectDeploymentStatus {
    world
        .until_status(PROJECT, "it serves", |status| {
            reason(status, "True", "Serving") && status.version.as_deref() != before
        })
        .await
}

/// Waits until a version has failed and only `good` runs.
async fn returns(world: &World, good: &ProjectDeploymentStatus) {
    let version = good.version.clone();
    world
        .until_status(PROJECT, "the failed version is rolled back", move |status| {
            reason(status, "False", "RolloutFailed")
                && status.version == version
                && status.replicas == Some(1)
        })
        .await;
}

fn reason(status: &ProjectDeploymentStatus, truth: &str, reason: &str) -> bool {
    ready(status) == Some((truth.into(), reason.into()))
}

async fn serving_pods(world: &World, serving: &ProjectDeploymentStatus) -> BTreeSet<String> {
    let version = serving.version.as_deref().unwrap();
    let pods = world.list::<Pod>().await;
    names(pods.iter().filter(|pod| of_version(pod, version)))
}

fn names<'a, K: kube::Resource + 'a>(objects: impl IntoIterator<Item = &'a K>) -> BTreeSet<String> {
    objects.into_iter().map(kube::ResourceExt::name_any).collect()
}
