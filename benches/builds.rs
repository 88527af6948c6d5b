//! Measures where the seconds of a small build go, from the apply of the project to Ready, and compares the profile
//! `isolated` with `rootless`, and the first build with a plain `buildctl` in a pod of the same image. It prints figures and
//! fails on none of them. Run it with `make bench-builds`; docs/performance.md explains the figures.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue panics")]
#![allow(unreachable_pub, dead_code, reason = "it shares modules with the node tests")]

#[path = "../tests/node/authority.rs"]
mod authority;
#[path = "../tests/node/harness.rs"]
mod harness;
#[path = "builds/plain.rs"]
mod plain;
#[path = "../tests/node/repository.rs"]
mod repository;
#[path = "builds/timeline.rs"]
mod timeline;

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::LogParams;
use serde_json::{Value, json};

use harness::{World, helm, holds};
use repository::Repository;
use timeline::{Timeline, Times};

const ROUNDS: usize = 3;
/// A program with a package, so that a step of the build has something to install.
const PACKAGE: &str = r#"{ "name": "shop", "version": "1.0.0", "scripts": { "start": "node server.js" },
    "dependencies": { "express": "4.21.2" } }"#;

#[tokio::main]
async fn main() {
    let world = World::new("bench-builds").await;
    let mut results = Results::default();
    for profile in ["isolated", "rootless"] {
        helm(&[&format!("--set=build.profile={profile}")]);
        // The first pods of a node pull their images.
        let repository = Repository::new(&format!("bench-{profile}"));
        let warm = commit(&repository, "warm-up");
        let name = format!("warm-up-{profile}");
        let (_, registry) = build(&world, &name, &repository, (&warm, "warm-up"), &json!({})).await;
        for round in 0..ROUNDS {
            run(&world, &mut results, profile, round, &registry).await;
        }
    }
    results.print();
}

/// A first build, the same in a plain pod, a build with the cache of the first, and a reused image.
async fn run(world: &World, results: &mut Results, profile: &str, round: usize, registry: &str) {
    let round = format!("{profile}-{round}");
    let output = json!({ "repository": format!("{registry}/{}/{round}", world.namespace) });
    let repository = Repository::new(&format!("bench-builds-{round}"));
    let (shop, other) = (format!("shop-{round}"), format!("other-{round}"));
    let one = commit(&repository, "first");
    let (first, _) = build(world, &shop, &repository, (&one, "first"), &output).await;
    results.add(format!("first, {profile}"), &first.times);
    if profile == "rootless" {
        let plain = plain::build(world, &first.pod, &first.log, &files("first")).await;
        results.add("plain buildctl".to_owned(), &plain);
    }
    let two = commit(&repository, "second");
    let second = (two.as_str(), "second");
    results
        .add(format!("cached, {profile}"), &build(world, &shop, &repository, second, &output).await.0.times);
    results
        .add(format!("reused, {profile}"), &build(world, &other, &repository, second, &output).await.0.times);
}

fn files(words: &str) -> [(&'static str, String); 2] {
    let server = format!(
        "require('http').createServer((_, answer) => answer.end('{words}')).listen(process.env.PORT);\n"
    );
    [("package.json", PACKAGE.to_owned()), ("server.js", server)]
}

/// Commits the program with these words.
fn commit(repository: &Repository, words: &str) -> String {
    let files = files(words);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    repository.commit(words, &files)
}

/// A finished build.
struct Built {
    times: Times,
    pod: Pod,
    log: String,
}

/// Deploys the commit with these words, and waits until it serves. Returns the registry of the image, too.
async fn build(
    world: &World,
    name: &str,
    repository: &Repository,
    (commit, words): (&str, &str),
    output: &Value,
) -> (Built, String) {
    let timeline = Timeline::begin(world, name).await;
    let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
    let spec =
        json!({ "source": source, "build": { "output": output }, "rollout": { "minReadySeconds": 0 } });
    world.deploy(name, &spec).await;
    let serves = |status: &ProjectDeploymentStatus| {
        let message = status.source.as_ref().and_then(|source| source.message.as_deref());
        message == Some(words) && holds(status, "Ready")
    };
    let over = |status: &ProjectDeploymentStatus| serves(status) || holds(status, "Stalled");
    let status = world.until_status(name, "it serves or fails", over).await;
    assert!(serves(&status), "{name}: {:?}", status.conditions);
    let (mut times, pod) = timeline.end();
    let params = LogParams { container: Some("build".to_owned()), ..LogParams::default() };
    let log = world.api::<Pod>().logs(&pod.name_any(), &params).await.unwrap();
    let done = log.lines().rfind(|line| line.starts_with("==> done")).unwrap();
    times.extend(stages(done));
    let registry = status.image.unwrap().split_once('/').unwrap().0.to_owned();
    (Built { times, pod, log }, registry)
}

/// The stages of `==> done … in 3.9 s (resolve 0.1, build 2.0)`, in seconds.
fn stages(done: &str) -> Times {
    let (_, rest) = done.rsplit_once(" in ").unwrap();
    let (total, stages) = rest.split_once(" s (").unwrap();
    let stages = stages.trim_end_matches(')').split(", ").map(|stage| stage.split_once(' ').unwrap());
    let all = std::iter::once(("all stages", total)).chain(stages);
    all.map(|(stage, seconds)| (format!("log: {stage}"), seconds.parse().unwrap())).collect()
}

/// The figures of all rounds, by kind of build.
#[derive(Default)]
struct Results {
    kinds: Vec<(String, Vec<Times>)>,
}

impl Results {
    fn add(&mut self, kind: String, times: &Times) {
        println!("{kind}: {times:?}");
        match self.kinds.iter_mut().find(|(there, _)| *there == kind) {
            Some((_, rounds)) => rounds.push(times.clone()),
            None => self.kinds.push((kind, vec![times.clone()])),
        }
    }

    /// A row for each figure and a column for each kind: medians in seconds.
    fn print(&self) {
        let mut names: Vec<&str> = vec![];
        for (name, _) in self.kinds.iter().flat_map(|(_, rounds)| rounds).flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let kinds: Vec<&str> = self.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
        println!("\n| seconds | {} |", kinds.join(" | "));
        println!("|---|{}", "---:|".repeat(kinds.len()));
        for name in names {
            let cells = self.kinds.iter().map(|(_, rounds)| median(rounds, name));
            let cells: Vec<String> =
                cells.map(|cell| cell.map_or("–".to_owned(), |seconds| format!("{seconds:.2}"))).collect();
            println!("| {name} | {} |", cells.join(" | "));
        }
    }
}

fn median(rounds: &[Times], name: &str) -> Option<f64> {
    let mut values: Vec<f64> =
        rounds.iter().flatten().filter(|(there, _)| there == name).map(|(_, seconds)| *seconds).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
