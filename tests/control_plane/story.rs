//! What the operator logs and counts: the story of each project, a JSON line for each thing that happens.

use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::{Built, Operator, World, behaving, commit, prebuilt};

/// The lines of one project that are about this version, by their reasons.
fn reasons<'a>(lines: &'a [Value], name: &str, version: &str) -> Vec<&'a str> {
    let about = |line: &&Value| line["name"] == name && line["version"] == version;
    lines.iter().filter(about).map(|line| line["reason"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_log_tells_the_story_of_a_project() {
    let world = World::new("story").await;
    world.allow_election("a").await;
    let operator = Process::start(&world, "a", 300);
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    world.fail("shop", behaving(prebuilt(2), "crash"), "RolloutFailed").await;
    world.annotate("shop", "doce.dev/rollback", "v00000000@1").await;
    let asked = "doce.dev/rollback=\"v00000000@1\": ";
    let lines =
        operator.until_log(|line| line["message"].as_str().is_some_and(|it| it.starts_with(asked))).await;

    let found = reasons(&lines, "shop", &first);
    let order = ["VersionRecorded", "BuildStarted", "BuildSucceeded", "VersionLive", "Serving"];
    let mut rest = found.iter();
    for reason in order {
        assert!(rest.any(|there| *there == reason), "{reason} is missing or out of order in {found:?}");
    }
    let line = |reason: &str| lines.iter().find(|line| line["reason"] == reason).unwrap();
    assert!(line("BuildSucceeded")["seconds"].is_i64() && line("VersionLive")["seconds"].is_i64());
    assert_eq!(line("VersionRecorded")["namespace"], json!(world.namespace));
    assert!(line("PortAllocated")["message"].as_str().unwrap().contains("node port"));
    for reason in ["VersionFailed", "RolloutFailed", "RollbackRequested"] {
        assert_eq!(line(reason)["level"], "WARN", "{reason}");
    }
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn metrics_count_builds_versions_rollbacks_and_requests() {
    let world = World::new("metrics").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_ready("shop", "True", "Held").await;
    world.annotate("shop", "doce.dev/rollback", "v00000000@2").await;
    operator.until_metrics("doce_rollbacks_total{result=\"rejected\"} 1\n").await;
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    for line in [
        "doce_versions_total{result=\"live\"} 2\n",
        "doce_build_duration_seconds_count{result=\"succeeded\"} 1\n",
        "doce_rollbacks_total{result=\"ignored\"} 1\n",
        "doce_rollbacks_total{result=\"accepted\"} 1\n",
        "doce_rollbacks_total{result=\"rejected\"} 1\n",
        "doce_builds_queued 0\n",
        "doce_builds_running 0\n",
        "doce_operator_leads 1\n",
        "rest_client_requests_total{code=\"201\",method=\"PATCH\"}",
        "controller_runtime_reconcile_total{controller=\"projectdeployment\",result=\"success\"}",
    ] {
        operator.until_metrics(line).await;
    }
    drop(second);
    world.leave().await;
}
