//! Commands that change a project: requests, and the state of the spec.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::Stage;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::user::User;
use crate::harness::builds::failed;
use crate::harness::{Built, Operator, World, behaving, commit, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rollback_returns_when_it_serves_and_says_what_the_hold_means() {
    let world = World::new("cli-rollback").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;

    user.doce(&["rollback", "shop"]).await.ends(2).says(&["name a version", &first]);
    let dry = user.doce(&["rollback", "shop", "previous", "--dry-run"]).await;
    dry.ends(0).says(&[
        &format!("{second} → {first}"),
        &format!("shop would roll back to {first} without a build"),
        &format!("The rollback would hold: {second}"),
    ]);
    assert!(is(&world.get("shop").await, "Ready", "True", "Serving"), "nothing was written");

    let back = user.doce(&["rollback", "shop", "previous"]).await;
    back.ends(0).says(&[
        &format!("shop: rolling back to {first}"),
        &format!("Rolled back to {first}"),
        &format!("{second}, which the spec yields, will not be deployed while the rollback holds"),
        "http://127.0.0.1:",
        "Git and the spec are unchanged",
    ]);
    let held = world.get::<ProjectDeployment>("shop").await;
    assert!(is(&held, "Ready", "True", "Held"));
    assert_eq!(held.status.unwrap().version.as_deref(), Some(first.as_str()));
    let managers = held.metadata.managed_fields.unwrap();
    assert!(managers.iter().any(|entry| entry.manager.as_deref() == Some("doce-cli")));
    user.doce(&["status", "shop", "--for", "held"]).await.ends(0).says(&["Rolled back to"]);
    user.doce(&["rollback", "shop", &first[..5]]).await.ends(0).says(&["already runs"]);
    let forward = user.doce(&["rollback", "shop", &second]).await;
    forward.ends(0).says(&[&format!("{second} serves")]);

    let bad = world.fail("shop", behaving(prebuilt(3), "crash"), "RolloutFailed").await;
    let bad = bad.status.unwrap().desired_version.unwrap();
    user.doce(&["rollback", "shop", &bad, "--dry-run"]).await.ends(1).says(&["failed before", "--retry"]);
    user.doce(&["rollback", "shop", &bad]).await.ends(1).says(&[
        "failed before",
        "kubectl doce rollback shop",
        "--retry",
    ]);
    user.doce(&["rollback", "shop", "v00000000"]).await.ends(1).says(&["matches no version", &second]);
    user.doce(&["rollback", "shop", &second, "--no-wait"]).await.ends(0).says(&["rolling back to"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_terminal_shows_a_list_to_choose_from_a_moving_line_and_colour() {
    let world = World::new("cli-terminal").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    let back = user.types("rollback shop", &format!("{}\n", &first[..4])).await;
    back.ends(0).says(&[
        "ROLLBACK",
        &second,
        "Roll back to which version?",
        &format!("rolling back to {first}"),
    ]);
    assert!(back.out.contains("\u{1b}[32m"), "colour on a terminal");
    user.doce(&["status", "shop", "--for", "held"]).await.ends(0);
    let shown = user.types("status shop", "").await;
    shown.ends(0).says(&["\u{1b}[1mshop", "Held"]);
    let restarted = user.types("restart shop", "").await;
    restarted.ends(0).says(&["\r", "Rolled back to"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn pods_are_stopped_started_scaled_and_restarted() {
    let world = World::new("cli-state").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    user.doce(&["scale", "shop", "--replicas", "2"]).await.ends(0).says(&["spec.replicas is 2", "serves"]);
    assert_eq!(world.app_pods().await.len(), 2);
    user.doce(&["restart", "shop"])
        .await
        .ends(0)
        .says(&[&format!("restarting the pods of {version}"), "serves"]);
    user.doce(&["stop", "shop"]).await.ends(0).says(&["spec.state is Stopped", "no pods run"]);
    assert!(world.app_pods().await.is_empty());
    user.doce(&["status", "shop", "--for", "live"]).await.ends(3).says(&["Stopped by spec"]);
    user.doce(&["scale", "shop", "--replicas", "1"])
        .await
        .ends(0)
        .says(&["warning", "kubectl doce start shop"]);
    user.doce(&["start", "shop"])
        .await
        .ends(0)
        .says(&["spec.state is Running", &format!("{version} serves")]);
    user.doce(&["scale", "shop", "--replicas", "0"]).await.ends(0).says(&["no pods run"]);
    user.doce(&["start", "shop"]).await.ends(1).says(&["spec.replicas of shop is 0", "--replicas 1"]);
    user.doce(&["retry", "shop"]).await.ends(0).says(&["nothing to retry"]);
    user.doce(&["restart", "shop"]).await.ends(1).says(&["rejected: no live version is running"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_field_that_a_gitops_tool_owns_is_changed_with_a_warning_that_names_it() {
    let world = World::new("cli-owners").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let mut spec = prebuilt(1);
    spec["state"] = json!("Running");
    spec["replicas"] = json!(1);
    let manifest = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" }, "spec": spec,
    });
    let flux = PatchParams::apply("kustomize-controller").force();
    world.api::<ProjectDeployment>().patch("shop", &flux, &Patch::Apply(manifest)).await.unwrap();
    world.until_ready("shop", "True", "Serving").await;
    user.doce(&["scale", "shop", "--replicas", "2"]).await.ends(0).says(&[
        "warning: Flux (kustomize-controller) owns spec.replicas",
        "Change it in Git instead: spec.replicas: 2",
    ]);
    user.doce(&["stop", "shop"]).await.ends(0).says(&[
        "warning: Flux (kustomize-controller) owns spec.state",
        "Change it in Git instead: spec.state: Stopped",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn waits_end_with_exit_code_3_when_nothing_more_happens_or_the_time_is_over() {
    let world = World::new("cli-waits").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    world.running_build().await;
    world.until_ready("shop", "False", "Building").await;
    user.doce(&["status", "shop", "--for", "live", "--timeout", "1s"]).await.ends(3).says(&[
        "timed out after 1 s",
        "is being built",
        "kubectl doce status shop",
        "--watch",
    ]);
    user.doce(&["status", "shop"]).await.ends(3).says(&["shop  Building", "kubectl doce explain shop"]);

    // A wait that a person leaves changes nothing.
    let waiting = user.command(&["status", "shop", "--watch"]).spawn().unwrap();
    let pid = waiting.id().unwrap().to_string();
    world.until_interruptible(&pid).await;
    tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
    let left = waiting.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&left.stderr).into_owned();
    assert_eq!(left.status.code(), Some(3), "{said}");
    assert!(said.contains("detached") && said.contains("Cancel a build: kubectl doce cancel shop"), "{said}");

    let cancelled = user.doce(&["cancel", "shop"]).await;
    cancelled.ends(0).says(&["cancelled shop-", "was cancelled"]);
    world.until_ready("shop", "False", "Cancelled").await;
    let retry = ["retry", "shop"];
    let fails = world.fail_build(failed(Stage::Detect, "NoBuilder", "no framework was found"));
    let (retried, _) = tokio::join!(user.doce(&retry), fails);
    retried.ends(3).says(&["retrying v", "no framework was found", "kubectl doce explain shop"]);
    let (retried, _) = tokio::join!(user.doce(&retry), world.finish_build(Built::default()));
    retried.ends(0).says(&["retrying v", "serves", "http://127.0.0.1:"]);
    user.doce(&["status", "shop", "--for", "built"]).await.ends(0).says(&["serves"]);
}

impl World {
    /// Waits until a process handles the interrupt itself.
    async fn until_interruptible(&self, pid: &str) {
        let handles = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:").map(str::to_owned));
            let caught = caught.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
            caught & 0b10 != 0
        };
        while !handles() {
            tokio::time::sleep(crate::harness::namespaced::PAUSE).await;
        }
    }
}
