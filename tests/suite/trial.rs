//! An example on a real node: pushed to a Git repository, built by a build pod, started by kubelet, looked at from outside.

use std::time::{Duration, Instant};

use doce_operator::crd::{ProjectDeployment, ProjectDeploymentStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, LogParams};
use serde_json::json;

use super::example::{Case, Example};
use super::http;
use super::outcome::{Outcome, missing_host};
use crate::harness::World;
use crate::repository::Repository;

/// Longest wait for the image.
const BUILT_WITHIN: Duration = Duration::from_mins(25);
/// Longest wait for what a started program should do.
const RIGHT_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks.
const TICK: Duration = Duration::from_secs(1);
/// Where a program listens that goes by PORT.
const PORT: u16 = 3000;

/// Builds it once and starts it for every case.
pub async fn run(world: &World, example: &Example, outcome: &mut Outcome) {
    let name = example.name.to_lowercase();
    let repository = Repository::new(&format!("suite-{name}"));
    let commit = repository.commit_directory(&example.name, &example.directory);
    for (number, case) in example.cases.iter().enumerate() {
        if let Some(why) = case.foreign() {
            outcome.why.push(format!("case {} left out: {why}", number + 1));
            continue;
        }
        world.deploy(&name, &spec(&repository.url, &commit, case)).await;
        match built(world, &name).await {
            Ok(()) => outcome.built = Some(true),
            Err(why) => {
                outcome.built = Some(false);
                note(outcome, why);
                break;
            }
        }
        outcome.tried += 1;
        match as_expected(world, &name, case).await {
            Ok(()) => outcome.right += 1,
            Err(why) => note(outcome, why),
        }
    }
    let _gone = world.api::<ProjectDeployment>().delete(&name, &DeleteParams::default()).await;
    world.until_gone::<ProjectDeployment>(&name).await;
}

fn note(outcome: &mut Outcome, why: String) {
    outcome.needs.extend(missing_host(&why));
    outcome.why.push(why);
}

fn spec(url: &str, commit: &str, case: &Case) -> serde_json::Value {
    let env = case.envs.iter().filter(|(name, _)| *name != "PORT");
    let env: Vec<_> = env.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    // What listens on a port of its own choice listens where the suite asks; low ports are those of the suite's own server.
    let internal = case.http_check.as_ref().map(|check| check.internal_port).filter(|port| *port >= 1024);
    let health = if case.http_check.is_some() { "TCP" } else { "None" };
    json!({
        "source": { "git": { "url": url, "ref": { "commit": commit } } },
        "run": { "port": internal.unwrap_or(PORT), "env": env, "health": { "type": health } },
        "rollout": { "minReadySeconds": 0 },
    })
}

/// Waits for the image of what is asked for.
async fn built(world: &World, name: &str) -> Result<(), String> {
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < BUILT_WITHIN {
        let status = status(world, name).await;
        let is = |kind: &str, truth: &str| {
            status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == truth)
        };
        if is("Built", "True") {
            return Ok(());
        }
        if let Some(failure) = &status.failure {
            last = format!("{}: {} {}", failure.reason, failure.message, failure.log);
            if is("Stalled", "True") {
                return Err(last);
            }
        }
        tokio::time::sleep(TICK).await;
    }
    Err(format!("not built within {} min: {last}", BUILT_WITHIN.as_secs() / 60))
}

/// Waits until the program has printed and answers what it should.
async fn as_expected(world: &World, name: &str, case: &Case) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let printed = logs(world, name).await;
        let missing: Vec<_> =
            case.expected_output.words().iter().filter(|words| !printed.contains(*words)).collect();
        let answered = match (&case.http_check, status(world, name).await.node_port) {
            (None, _) => Ok(()),
            (Some(_), None) => Err("there is no port yet".to_owned()),
            (Some(check), Some(port)) => http::check(&format!("{}:{port}", world.address), check).await,
        };
        if case.just_build || missing.is_empty() && answered.is_ok() {
            return Ok(());
        }
        if begun.elapsed() > RIGHT_WITHIN {
            let wanted =
                if missing.is_empty() { String::new() } else { format!("not printed: {missing:?}; ") };
            let lines: Vec<&str> = printed.lines().rev().take(5).collect();
            let end = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
            return Err(format!("{wanted}{}; last output: {end}", answered.err().unwrap_or_default()));
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn status(world: &World, name: &str) -> ProjectDeploymentStatus {
    let object = world.api::<ProjectDeployment>().get(name).await.unwrap();
    let current = object.status.clone().unwrap_or_default();
    if Some(current.observed_generation) == object.metadata.generation {
        current
    } else {
        ProjectDeploymentStatus::default()
    }
}

/// Everything that the pods printed, also before they were restarted.
async fn logs(world: &World, name: &str) -> String {
    let pods = world.api::<Pod>();
    let labels = ListParams::default().labels(&format!("doce.dev/role=app,app.kubernetes.io/name={name}"));
    let mut text = String::new();
    for pod in pods.list(&labels).await.unwrap().items {
        for previous in [true, false] {
            let parameters = LogParams { previous, ..LogParams::default() };
            // A container that has not started yet has printed nothing.
            text += &pods.logs(&pod.name_any(), &parameters).await.unwrap_or_default();
        }
    }
    text
}
