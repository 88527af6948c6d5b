//! Runs an example on a real node: pushes it to a Git repository, a build pod builds it, the kubelet starts it, and the
//! test checks it from outside.

use std::time::{Duration, Instant};

use doce_operator::crd::{ProjectDeployment, ProjectDeploymentStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, LogParams};
use serde_json::json;

use super::example::{Case, Example};
use super::outcome::Outcome;
use super::{http, needs};
use crate::harness::World;
use crate::repository::Repository;

/// Longest wait for the image.
const BUILT_WITHIN: Duration = Duration::from_mins(25);
/// Longest wait for the first start of a program, because its image may be large.
const STARTED_WITHIN: Duration = Duration::from_mins(5);
/// Longest wait for the expected behaviour of a started program.
const RIGHT_WITHIN: Duration = Duration::from_mins(1);
/// Number of starts of a program that ends by itself, after which no new output is expected.
const STARTS: i32 = 3;
/// Pause between two checks.
const TICK: Duration = Duration::from_secs(1);
/// Port of a program that uses PORT.
const PORT: u16 = 3000;
/// Failures of the cluster, after which the operator retries the build.
const PASSING: [&str; 4] = ["BuilderUnavailable", "RegistryUnavailable", "Cancelled", "WorkspaceFailed"];

/// Why something failed, and what it lacked.
type Why = (String, Option<String>);

/// Builds it once and starts it for every case.
pub async fn run(world: &World, example: &Example, outcome: &mut Outcome) {
    let name = example.name.to_lowercase();
    let repository = Repository::new(&format!("{}-{name}", world.namespace));
    let commit = repository.commit_directory(&example.name, &example.directory);
    for (number, case) in example.cases.iter().enumerate() {
        if let Some(why) = case.foreign() {
            outcome.note(format!("case {} left out: {why}", number + 1), None);
            if outcome.built.is_some() || number + 1 < example.cases.len() {
                continue;
            }
        }
        world.deploy(&name, &spec(&repository.url, &commit, case)).await;
        if let Err((why, needs)) = built(world, &name, outcome).await {
            outcome.built = Some(false);
            outcome.note(why, needs);
            break;
        }
        outcome.built = Some(true);
        if case.foreign().is_some() {
            continue;
        }
        match as_expected(world, &name, case, outcome).await {
            Ok(()) => outcome.right += 1,
            Err((why, None)) if case.is_set_up() || example.is_configured => {
                outcome.note(
                    format!(
                        "case {} left out: set up by railpack.json or variables of Railpack ({why})",
                        number + 1
                    ),
                    None,
                );
                continue;
            }
            Err((why, needs)) => outcome.note(why, needs),
        }
        outcome.tried += 1;
    }
    // The test does not wait for its end, which may take a while.
    let _gone = world.api::<ProjectDeployment>().delete(&name, &DeleteParams::default()).await;
}

fn spec(url: &str, commit: &str, case: &Case) -> serde_json::Value {
    let env = case.environment().filter(|(name, _)| *name != "PORT");
    let env: Vec<_> = env.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    // A program with its own port listens on the suite's port. Low ports belong to the suite's own server.
    let internal = case.http_check.as_ref().map(|check| check.internal_port).filter(|port| *port >= 1024);
    let health = if case.http_check.is_some() { "TCP" } else { "None" };
    json!({
        "source": { "git": { "url": url, "ref": { "commit": commit } } },
        "build": { "strategy": "Generated" },
        "run": { "port": internal.unwrap_or(PORT), "env": env, "health": { "type": health } },
        "rollout": { "minReadySeconds": 0 },
    })
}

/// Waits for the image of the current spec.
async fn built(world: &World, name: &str, outcome: &Outcome) -> Result<(), Why> {
    let begun = Instant::now();
    let mut last = "nothing failed".to_owned();
    while begun.elapsed() < BUILT_WITHIN {
        let status = status(world, name).await;
        if status.conditions.iter().any(|condition| condition.type_ == "Built" && condition.status == "True")
        {
            return Ok(());
        }
        if let Some(failure) = &status.failure {
            last = format!("{}: {} {}", failure.reason, failure.message, failure.log);
            if !PASSING.contains(&failure.reason.as_str()) {
                let log = logs(world, name, "build").await;
                keep(&format!("{name}.build.log"), &log);
                let image = needs::missing_image(&failure.reason, &failure.message, &outcome.images);
                let needs =
                    image.or_else(|| needs::missing_host(&last)).or_else(|| needs::missing_host(&log));
                return Err((last, needs));
            }
        }
        tokio::time::sleep(TICK).await;
    }
    Err((format!("not built within {} min: {last}", BUILT_WITHIN.as_secs() / 60), None))
}

/// Waits until the program has the expected output and answers.
async fn as_expected(world: &World, name: &str, case: &Case, outcome: &mut Outcome) -> Result<(), Why> {
    let begun = Instant::now();
    let mut started = None;
    loop {
        let pods = pods(world, name, "app").await;
        let printed = logs(world, name, "app").await;
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
        if started.is_none() && pods.iter().any(has_started) {
            started = Some(Instant::now());
        }
        let late = started.map_or(begun.elapsed() > STARTED_WITHIN, |since| since.elapsed() > RIGHT_WITHIN);
        if late || pods.iter().any(|pod| restarts(pod) >= STARTS) {
            keep(&format!("{name}.out"), &printed);
            let wanted =
                if missing.is_empty() { String::new() } else { format!("not printed: {missing:?}; ") };
            let lines: Vec<&str> = printed.lines().rev().take(5).collect();
            let end = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
            let mut needs = needs::missing_host(&printed);
            if answered.is_ok() && needs::is_other_version(&missing, &printed) {
                outcome.prints_another_version = true;
                needs = needs::image_of_version(&missing, &outcome.images).or(needs);
            }
            let answered = answered.err().map(|why| why + "; ").unwrap_or_default();
            return Err((format!("{wanted}{answered}last output: {end}"), needs));
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

/// The build and app pods of the project.
async fn pods(world: &World, name: &str, role: &str) -> Vec<Pod> {
    let labels = ListParams::default().labels(&format!("doce.dev/role={role},app.kubernetes.io/name={name}"));
    world.api::<Pod>().list(&labels).await.unwrap().items
}

fn has_started(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.into_iter().any(|container| container.started == Some(true) || container.restart_count > 0)
}

fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.map(|container| container.restart_count).max().unwrap_or_default()
}

/// All output of the pods, including output before restarts.
async fn logs(world: &World, name: &str, role: &str) -> String {
    let mut text = String::new();
    for pod in pods(world, name, role).await {
        for previous in [true, false] {
            let parameters = LogParams { previous, ..LogParams::default() };
            // A container that has not started yet has no output.
            text += &world.api::<Pod>().logs(&pod.name_any(), &parameters).await.unwrap_or_default();
        }
    }
    text
}

/// Writes a text to the directory in the variable LOGS, if it is set.
fn keep(file: &str, text: &str) {
    if let Some(directory) = crate::setting("LOGS") {
        std::fs::write(std::path::Path::new(&directory).join(file), text).unwrap();
    }
}
