//! The condition table of docs/design.md (section 6), one test per row. The tests read the conditions by the rules of
//! kstatus (Flux, Argo CD, Helm) and with `kubectl wait`.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::{Failed, Stage};
use serde_json::json;

use crate::harness::builds::failed;
use crate::harness::reading::message;
use crate::harness::{Built, Operator, Options, World, behaving, commit, condition, prebuilt};

/// The kstatus result of an object.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    InProgress,
    Failed,
    Current,
    Terminating,
}

/// The rules of sigs.k8s.io/cli-utils/pkg/kstatus for an unknown kind.
fn kstatus(object: &ProjectDeployment) -> Read {
    let seen = object.status.as_ref().map(|status| status.observed_generation);
    let is_true = |kind| condition(object, kind).is_some_and(|condition| condition.status == "True");
    match () {
        () if object.metadata.deletion_timestamp.is_some() => Read::Terminating,
        () if seen.is_some() && seen != object.metadata.generation => Read::InProgress,
        () if is_true("Reconciling") => Read::InProgress,
        () if is_true("Stalled") => Read::Failed,
        () if condition(object, "Ready").is_none() || is_true("Ready") => Read::Current,
        () => Read::InProgress,
    }
}

/// Checks a row: Ready, Available, Reconciling and Stalled, each as `status/reason`, or `-` if the condition must be
/// absent.
#[track_caller]
fn row(object: &ProjectDeployment, expected: [&str; 4]) {
    let said = ["Ready", "Available", "Reconciling", "Stalled"].map(|kind| {
        let found = condition(object, kind);
        if let Some(found) = &found {
            assert_eq!(
                found.observed_generation, object.metadata.generation,
                "{kind} has another observedGeneration"
            );
        }
        found.map_or("-".to_owned(), |found| format!("{}/{}", found.status, found.reason))
    });
    assert_eq!(said, expected, "{:#?}", object.status);
}

impl World {
    async fn kubectl_waits_until_ready(&self) {
        self.kubectl(&["wait", "--for=condition=Ready", "pd/shop", "--timeout=10m"]).await.well();
    }

    async fn kubectl_wait_does_not_return(&self) {
        let said =
            self.kubectl(&["wait", "--for=condition=Ready", "pd/shop", "--timeout=1s"]).await.refused();
        let in_vain = ["timed out waiting for the condition", "context deadline exceeded"];
        assert!(in_vain.iter().any(|words| said.contains(words)), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_new_object_is_never_reported_ready() {
    let world = World::new("row-new").await;
    let fresh = world.apply("shop", prebuilt(1)).await;
    assert_eq!(fresh.status.as_ref().unwrap().observed_generation, -1);
    assert_eq!(kstatus(&fresh), Read::InProgress);
    world.kubectl_wait_does_not_return().await;
    let _operator = Operator::start(&world).await;
    world.kubectl_waits_until_ready().await;
    let ready = world.get("shop").await;
    row(&ready, ["True/Serving", "True/Serving", "-", "-"]);
    assert_eq!(kstatus(&ready), Read::Current);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_old_version_is_available_while_the_next_one_is_built() {
    let world = World::new("row-building").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    let first = world.until_ready("shop", "False", "Building").await;
    row(&first, ["False/Building", "Unknown/NothingYet", "True/Building", "-"]);
    world.finish_build(Built::default()).await;
    world.kubectl_waits_until_ready().await;
    world.apply("shop", commit(2)).await;
    let building = world.until_ready("shop", "False", "Building").await;
    row(&building, ["False/Building", "True/Serving", "True/Building", "-"]);
    assert_eq!(kstatus(&building), Read::InProgress);
    world.kubectl_wait_does_not_return().await;
    assert!(message(&building, "Ready").contains("kubectl logs -f job/"), "{}", message(&building, "Ready"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_old_version_is_available_while_the_next_one_starts() {
    let world = World::new("row-starting").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let mut slow = behaving(prebuilt(2), "manual");
    slow["rollout"]["deadlineSeconds"] = json!(600);
    world.apply("shop", slow).await;
    let starting = world.until_ready("shop", "False", "Starting").await;
    row(&starting, ["False/Starting", "True/Serving", "True/Starting", "-"]);
    assert_eq!(starting.status.as_ref().unwrap().version.as_deref(), Some(first.as_str()));
    assert_eq!(kstatus(&starting), Read::InProgress);
    world.kubectl_wait_does_not_return().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_failed_build_stalls_with_a_retry_command_that_works() {
    let world = World::new("row-failed").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    world.apply("shop", commit(2)).await;
    let sentence = "RUN npm ci ended with exit code 1";
    let log = "npm error code E404".to_owned();
    world.fail_build(Failed { log, ..failed(Stage::Build, "BuildFailed", sentence) }).await;
    let stalled = world.until_ready("shop", "False", "BuildFailed").await;
    row(&stalled, ["False/BuildFailed", "True/Serving", "-", "True/BuildFailed"]);
    assert_eq!(kstatus(&stalled), Read::Failed);
    world.kubectl_wait_does_not_return().await;
    let said = message(&stalled, "Stalled");
    for word in ["npm ci ended with exit code 1", &format!("{first} keeps serving")] {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
    let command = &said[said.find("kubectl annotate").expect("a command")..];
    world.paste(command).await.well();
    world.finish_build(Built::default()).await;
    world.kubectl_waits_until_ready().await;
    assert_ne!(world.get::<ProjectDeployment>("shop").await.status.unwrap().version, Some(first));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn source_and_registry_faults_each_have_their_own_reason() {
    let world = World::new("row-refused").await;
    let _operator = Operator::start_with(&world, Options { retry_seconds: 300, ..Options::default() }).await;
    world.serve("shop", prebuilt(1)).await;
    world.apply("shop", commit(2)).await;
    for (n, (stage, fault, reason)) in [
        (Stage::Resolve, "SourceUnreachable", "SourceUnavailable"),
        (Stage::Resolve, "SourceAuthFailed", "SourceAuthFailed"),
        (Stage::Push, "RegistryUnavailable", "RegistryUnavailable"),
        (Stage::Push, "RegistryDenied", "RegistryDenied"),
        (Stage::Push, "RegistryFull", "RegistryFull"),
    ]
    .into_iter()
    .enumerate()
    {
        world.fail_build(failed(stage, fault, "what to do")).await;
        let waits = world.until_ready("shop", "False", reason).await;
        let (ready, working) = (format!("False/{reason}"), format!("True/{reason}"));
        row(&waits, [&ready, "True/Serving", &working, "-"]);
        assert_eq!(kstatus(&waits), Read::InProgress);
        assert_eq!(waits.status.unwrap().failure.unwrap().reason, fault);
        world.ask("shop", "retry", &format!("@{n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_that_does_not_run_stalls_and_the_old_one_stays_available() {
    let world = World::new("row-crash").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let stalled = world.fail("shop", behaving(prebuilt(2), "crash"), "RolloutFailed").await;
    row(&stalled, ["False/RolloutFailed", "True/Serving", "-", "True/RolloutFailed"]);
    assert_eq!(kstatus(&stalled), Read::Failed);
    let said = message(&stalled, "Ready");
    assert!(
        said.contains("exit code 1") && said.contains(&first) && said.contains("doce.dev/retry"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_hold_is_ready_and_names_the_waiting_version_and_the_command_to_end_it() {
    let world = World::new("row-held").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    let kept = message(&world.get("shop").await, "RollbackAvailable");
    world.paste(&kept[kept.find("kubectl annotate").expect("a command")..]).await.well();
    let held = world.until_ready("shop", "True", "Held").await;
    row(&held, ["True/Held", "True/Serving", "-", "-"]);
    assert_eq!(kstatus(&held), Read::Current);
    world.kubectl_waits_until_ready().await;
    let said = message(&held, "Ready");
    assert!(said.starts_with(&format!("Rolled back to {first}")) && said.contains(&second), "{said}");
    world.paste(&said[said.find("kubectl annotate").expect("a command")..]).await.well();
    world.until_serving("shop", &second).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_pin_is_ready_and_names_the_fields_it_ignores() {
    let world = World::new("row-pinned").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let mut pinned = prebuilt(2);
    pinned["pinnedVersion"] = json!(first);
    world.apply("shop", pinned).await;
    let pinned = world.until_ready("shop", "True", "Pinned").await;
    row(&pinned, ["True/Pinned", "True/Serving", "-", "-"]);
    assert_eq!(kstatus(&pinned), Read::Current);
    world.kubectl_waits_until_ready().await;
    assert!(message(&pinned, "Ready").contains("ignores spec.source and spec.run while it is set"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_stopped_or_scaled_to_zero_is_ready_and_not_available() {
    let world = World::new("row-stopped").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world.kubectl(&["scale", "pd/shop", "--replicas=0"]).await.well();
    let scaled = world.until_ready("shop", "True", "Stopped").await;
    row(&scaled, ["True/Stopped", "False/Stopped", "-", "-"]);
    assert_eq!(kstatus(&scaled), Read::Current);
    world.kubectl_waits_until_ready().await;
    world.kubectl(&["scale", "pd/shop", "--current-replicas=0", "--replicas=2"]).await.well();
    let back = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(back.status.unwrap().replicas, Some(2));
    world.patch::<ProjectDeployment>("shop", json!({ "spec": { "state": "Stopped" } })).await;
    let stopped = world.until_ready("shop", "True", "Stopped").await;
    row(&stopped, ["True/Stopped", "False/Stopped", "-", "-"]);
    assert_eq!(kstatus(&stopped), Read::Current);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_full_port_range_is_reported_and_the_pods_run() {
    let world = World::new("row-ports").await;
    let port = world.take_ports(32668, &["holder"]).await;
    let _operator = Operator::start_with(&world, Options { ports: (port, port), ..Options::default() }).await;
    world.apply("shop", prebuilt(1)).await;
    let what = "the pods run without a port";
    let full = world
        .until("shop", what, |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                condition(object, "Available").is_some_and(|available| available.status == "True")
            })
        })
        .await;
    row(&full, ["False/PortsExhausted", "True/Serving", "True/PortsExhausted", "-"]);
    assert_eq!(kstatus(&full), Read::InProgress);
    world.kubectl_wait_does_not_return().await;
    assert!(
        message(&full, "Ready").contains(&format!("No node port between {port} and {port} is free")),
        "{}",
        message(&full, "Ready")
    );
}
