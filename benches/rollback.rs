//! Measures how long a rollback to the kept ReplicaSet takes, compared with `kubectl rollout undo` on a plain Deployment
//! of the same pods. Both run alternately on the same node. It prints figures and fails on none of them. Run it with
//! `make bench-rollback`.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue panics")]
#![allow(unreachable_pub, dead_code, reason = "it shares modules with the node tests")]

#[path = "../tests/node/administrator.rs"]
mod administrator;
#[path = "../tests/node/authority.rs"]
mod authority;
#[path = "../tests/node/client.rs"]
mod client;
#[path = "../tests/node/harness.rs"]
mod harness;
#[path = "../tests/node/repository.rs"]
mod repository;

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};

use administrator::kubectl;
use client::until_answer;
use harness::{World, ready};

/// Rollbacks whose change of the Deployment is timed.
const PATCHES: usize = 20;
/// Rollbacks of each kind whose first answer is timed.
const ROUNDS: usize = 8;
const WORDS: [&str; 2] = ["one", "two"];
const SERVER: &str = "\
    const server = require('node:http').createServer((request, response) => response.end(process.env.WORDS));
    server.listen(process.env.PORT);
    process.on('SIGTERM', () => server.close());";

#[tokio::main]
async fn main() {
    let world = World::new("bench-rollback").await;
    let ours = deploy_ours(&world).await;
    let plain = deploy_plain(&world).await;
    println!("both apps are running; {PATCHES} rollbacks back and forth");
    let patched = time_patches(&world).await;
    println!("{ROUNDS} rollbacks of each kind, alternating");
    let (mut reverted_at_once, mut rolled_back) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let to = WORDS[round % 2];
        reverted_at_once.push(undo(&world, plain, to).await);
        rolled_back.push(roll_back(&world, ours, to, round).await);
        println!("  to {to}: rollout undo {:?}, rollback {:?}", reverted_at_once[round], rolled_back[round]);
    }
    println!();
    println!("| what | n | median ms | least ms | most ms |");
    println!("|---|---:|---:|---:|---:|");
    let patched = Figures::of("annotation sent → changed Deployment seen", patched);
    let reverted_at_once = Figures::of(
        "`kubectl rollout undo` → first answer of the old version, plain Deployment",
        reverted_at_once,
    );
    let rolled_back =
        Figures::of("`kubectl annotate … rollback` → first answer of the old version", rolled_back);
    for figures in [&patched, &reverted_at_once, &rolled_back] {
        println!("{}", figures.row());
    }
    println!("| ratio of the two medians | | {:.2} | | |", rolled_back.median() / reverted_at_once.median());
}

/// Times of one kind, in ascending order.
struct Figures {
    what: &'static str,
    times: Vec<Duration>,
}

impl Figures {
    fn of(what: &'static str, mut times: Vec<Duration>) -> Self {
        times.sort();
        Self { what, times }
    }

    /// Milliseconds.
    fn median(&self) -> f64 {
        let (low, high) = (self.times[(self.times.len() - 1) / 2], self.times[self.times.len() / 2]);
        (low + high).as_secs_f64() * 500.0
    }

    fn row(&self) -> String {
        let (least, most) = (self.times[0].as_millis(), self.times[self.times.len() - 1].as_millis());
        format!("| {} | {} | {:.0} | {least} | {most} |", self.what, self.times.len(), self.median())
    }
}

/// Deploys a project whose two versions answer with the two words; the second version serves. Returns its port.
async fn deploy_ours(world: &World) -> i32 {
    let mut port = 0;
    for words in WORDS {
        let spec = json!({
            "source": { "image": { "reference": "docker.io/library/node:22-bookworm-slim" } },
            "run": { "command": ["node", "-e", SERVER], "env": [{ "name": "WORDS", "value": words }] },
            "rollout": { "deadlineSeconds": 60, "minReadySeconds": 1 },
        });
        world.deploy("ours", &spec).await;
        let serves = |status: &doce_operator::crd::ProjectDeploymentStatus| {
            ready(status) == Some(("True".into(), "Serving".into()))
        };
        port = world.until_status("ours", "it serves", serves).await.node_port.unwrap();
        until_answer(&world.address, port, words).await;
    }
    drained(world, "doce.dev/project=ours,doce.dev/role=app").await;
    port
}

/// Creates a plain Deployment with the same pods except for their labels, and a NodePort Service. Returns its port.
async fn deploy_plain(world: &World) -> i32 {
    let labels = json!({ "app": "plain" });
    let service = json!({ "spec": {
        "type": "NodePort", "selector": labels, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }],
    }});
    let service = world.apply::<Service>("plain", service).await;
    let port = service.spec.unwrap().ports.unwrap()[0].node_port.unwrap();
    let template = world.api::<Deployment>().get("ours").await.unwrap().spec.unwrap().template;
    let mut template: Value = serde_json::to_value(template).unwrap();
    template["metadata"] = json!({ "labels": labels });
    for words in WORDS {
        for variable in template["spec"]["containers"][0]["env"].as_array_mut().unwrap() {
            if variable["name"] == "WORDS" {
                variable["value"] = json!(words);
            }
        }
        let spec = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": template });
        world.apply::<Deployment>("plain", json!({ "spec": spec })).await;
        until_answer(&world.address, port, words).await;
    }
    drained(world, "app=plain").await;
    port
}

/// Times from sending the annotation until a watch reports the Deployment with the other version.
async fn time_patches(world: &World) -> Vec<Duration> {
    let mut seen = std::pin::pin!(versions_of_deployment(world));
    let mut version = seen.next().await.unwrap();
    let mut times = vec![];
    for number in 0..PATCHES {
        let sent = Instant::now();
        world.annotate("ours", "doce.dev/rollback", &format!("previous@patch-{number}")).await;
        let before = version.clone();
        while version == before {
            version = seen.next().await.unwrap();
        }
        times.push(sent.elapsed());
        settled(world, &version).await;
    }
    drained(world, "doce.dev/project=ours,doce.dev/role=app").await;
    times
}

fn versions_of_deployment(world: &World) -> impl Stream<Item = String> + use<> {
    let events =
        watcher(world.api::<Deployment>(), watcher::Config::default().labels("doce.dev/project=ours"));
    events.default_backoff().applied_objects().filter_map(async |deployment| {
        let template = deployment.ok()?.spec?.template.metadata?;
        template.labels?.get("doce.dev/version").cloned()
    })
}

/// Waits until that version serves and is Ready. Before that, it is not certain which version is `previous`.
async fn settled(world: &World, version: &str) {
    world
        .until_status("ours", "the rollback is done", |status| {
            status.version.as_deref() == Some(version)
                && ready(status).is_some_and(|(truth, _)| truth == "True")
        })
        .await;
}

async fn roll_back(world: &World, port: i32, to: &str, round: usize) -> Duration {
    let namespace = format!("--namespace={}", world.namespace);
    let request = format!("doce.dev/rollback=previous@round-{round}");
    let sent = Instant::now();
    kubectl(&["annotate", "pd", "ours", &namespace, "--overwrite", &request]).await;
    until_answer(&world.address, port, to).await;
    let took = sent.elapsed();
    drained(world, "doce.dev/project=ours,doce.dev/role=app").await;
    took
}

async fn undo(world: &World, port: i32, to: &str) -> Duration {
    let namespace = format!("--namespace={}", world.namespace);
    let sent = Instant::now();
    kubectl(&["rollout", "undo", "deployment", "plain", &namespace]).await;
    until_answer(&world.address, port, to).await;
    let took = sent.elapsed();
    drained(world, "app=plain").await;
    took
}

/// Waits until one pod is left, so that pods of the previous measurement do not slow the next one.
async fn drained(world: &World, selector: &str) {
    let mut left = std::collections::BTreeSet::new();
    let mut events = std::pin::pin!(watcher(world.api::<Pod>(), watcher::Config::default().labels(selector)));
    while let Some(event) = events.next().await {
        match event.unwrap() {
            watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => {
                left.insert(pod.name_any());
                continue;
            }
            watcher::Event::Delete(pod) => {
                left.remove(&pod.name_any());
            }
            watcher::Event::Init => continue,
            watcher::Event::InitDone => {}
        }
        if left.len() == 1 {
            return;
        }
    }
}
