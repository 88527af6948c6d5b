//! `explain` names the planted cause and the next command. Each row plants one failure.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::{Failed, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::user::User;
use crate::harness::builds::failed;
use crate::harness::inits::migrating;
use crate::harness::{Operator, Options, World, behaving, by_hand, commit, prebuilt};

/// A retry delay that outlasts a test.
const PATIENT: u32 = 300;

impl User {
    /// `explain` names this cause, says these words, and its first command begins like this.
    async fn explains(&self, project: &str, cause: &str, says: &[&str], next: &str) {
        let said = self.doce(&["explain", project]).await;
        said.ends(0).says(says);
        let lines: Vec<&str> = said.out.lines().collect();
        let begins = lines[0].starts_with(&format!("{project}  {cause}"));
        assert!(begins, "{cause:?} is not the cause in\n{}", said.out);
        let at = lines
            .iter()
            .position(|line| *line == "Next")
            .unwrap_or_else(|| panic!("no command: {}", said.out));
        assert!(lines[at + 2].trim().starts_with(next), "{next:?} is not the first command of\n{}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn explain_names_why_there_is_no_image() {
    use Stage::{Build, Detect, Fetch, Push, Resolve, Verify};
    let world = World::new("cli-explain-builds").await;
    let user = User::of(&world).await;
    let options = Options { retry_seconds: PATIENT, ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    let (edit, log, secrets) = ("kubectl edit pd", "kubectl doce logs", "kubectl get secrets");
    let (pod, retry) = ("kubectl describe pod -l doce.dev/project=", "kubectl doce retry");
    let rows = [
        (Resolve, "RefNotFound", "SourceUnavailable (RefNotFound)", edit),
        (Resolve, "SourceNotFound", "SourceUnavailable (SourceNotFound)", edit),
        (Resolve, "SourceUnreachable", "SourceUnavailable (SourceUnreachable)", log),
        (Fetch, "SourceAuthFailed", "SourceAuthFailed", edit),
        (Fetch, "SourceForbidden", "SourceUnavailable (SourceForbidden)", edit),
        (Fetch, "SourceTooLarge", "SourceUnavailable (SourceTooLarge)", log),
        (Fetch, "ArchiveInvalid", "SourceUnavailable (ArchiveInvalid)", log),
        (Fetch, "LargeFileMissing", "SourceUnavailable (LargeFileMissing)", log),
        (Fetch, "UnsafeSource", "SourceUnavailable (UnsafeSource)", log),
        (Fetch, "OutOfDisk", "OutOfDisk", pod),
        (Verify, "SourceChanged", "BuildFailed (SourceChanged)", edit),
        (Detect, "NoBuilder", "BuildFailed (NoBuilder)", log),
        (Detect, "PathNotFound", "BuildFailed (PathNotFound)", edit),
        (Build, "BuildFailed", "BuildFailed", log),
        (Build, "BaseImageNotFound", "BuildFailed (BaseImageNotFound)", log),
        (Build, "BaseImageUnreachable", "BuildFault (BaseImageUnreachable)", log),
        (Build, "BuildTimeout", "BuildFailed (BuildTimeout)", edit),
        (Build, "OutOfMemory", "OutOfMemory", edit),
        (Build, "BuildSecretMissing", "BuildSecretMissing", secrets),
        (Build, "BuilderUnavailable", "BuildFault (BuilderUnavailable)", log),
        (Build, "BuilderLost", "BuildFault (BuilderLost)", log),
        (Push, "RegistryUnavailable", "RegistryUnavailable", log),
        (Push, "RegistryDenied", "RegistryDenied", log),
        (Push, "RegistryFull", "RegistryFull", log),
    ];
    for (n, (stage, reason, cause, next)) in (1..).zip(rows) {
        let name = format!("p{n}");
        world.apply(&name, commit(n)).await;
        let message = format!("the sentence about {reason}");
        let planted = Failed { log: format!("the log of {reason}"), ..failed(stage, reason, &message) };
        world.fail_build(planted).await;
        let ready = cause.split(' ').next().unwrap();
        world.until_ready(&name, "False", ready).await;
        let shown = format!("    the log of {reason}");
        user.explains(&name, cause, &[&message, "log of the build:", &shown], next).await;
    }

    world.apply("cancelled", commit(100)).await;
    world.running_build().await;
    world.until_ready("cancelled", "False", "Building").await;
    user.explains("cancelled", "Building", &["is being built"], "kubectl doce logs cancelled -f --build")
        .await;
    user.doce(&["cancel", "cancelled"]).await.ends(0);
    user.explains("cancelled", "Cancelled", &["was cancelled"], retry).await;

    let mut large = commit(101);
    large["build"] = json!({ "resources": { "requests": { "cpu": "100k" } } });
    world.fail("large", large, "Unschedulable").await;
    user.explains("large", "Unschedulable", &["Insufficient cpu"], pod).await;
    world.delete::<ProjectDeployment>("large").await;

    let root = json!({ "security": "Restricted" });
    let mut restricted = commit(102);
    restricted["run"] = root;
    world.apply("root", restricted).await;
    world.finish_build_as(crate::harness::Built::default(), 0).await;
    world.until_ready("root", "False", "ImageRunsAsRoot").await;
    user.explains("root", "ImageRunsAsRoot", &["runs as root"], edit).await;

    world.enforces("restricted").await;
    world.fail("forbidden", commit(103), "PodForbidden").await;
    user.explains(
        "forbidden",
        "PodForbidden",
        &["pod-security.kubernetes.io/enforce"],
        "kubectl describe resourcequota",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn explain_names_why_pods_do_not_run() {
    let world = World::new("cli-explain-pods").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let log = "kubectl doce logs";
    world.fail("crash", behaving(prebuilt(1), "crash"), "RolloutFailed").await;
    let reason = world.failure("crash").await;
    let cause = format!("RolloutFailed ({reason})");
    user.explains("crash", &cause, &["exit code 127", "pod crash-"], &format!("{log} crash --app")).await;

    world.fail("late", behaving(prebuilt(2), "never-ready"), "RolloutFailed").await;
    let cause = format!("RolloutFailed ({})", world.failure("late").await);
    user.explains("late", &cause, &["does not run"], &format!("{log} late --app")).await;

    let mut pull = behaving(prebuilt(3), "pull-error");
    pull["rollout"]["deadlineSeconds"] = json!(3600);
    world.apply("pull", pull).await;
    world.until_says("pull", &["Back-off pulling image"]).await;
    user.explains("pull", "Starting (ImagePullBackOff)", &["Back-off pulling image"], "kubectl describe pod")
        .await;
    world.time_is_over("pull").await;
    world.until_ready("pull", "False", "RolloutFailed").await;
    let cause = "RolloutFailed (ImagePullBackOff)";
    user.explains("pull", cause, &["Back-off pulling image"], "kubectl describe pod").await;

    let config = json!({ "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"keys\" not found" } });
    let loops = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off restarting failed container" } });
    let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    for (n, name, state, last, words, next) in [
        (4, "config", config, None, "secret \"keys\" not found", "kubectl get secrets,configmaps"),
        (5, "memory", loops, Some(killed), "exit code 137 (OOMKilled)", log),
    ] {
        world.apply(name, by_hand(prebuilt(n))).await;
        let labels = format!("doce.dev/project={name},doce.dev/role=app");
        let pods = world.until_labelled::<Pod>(&labels, "a pod", |pods| !pods.is_empty()).await;
        world.app_is(&pods[0].name_any(), state, last, 1).await;
        world.until_says(name, &[words]).await;
        user.explains(name, "Starting (C", &[words], next).await;
        world.time_is_over(name).await;
        world.until_ready(name, "False", "RolloutFailed").await;
        let cause = format!("RolloutFailed ({})", world.failure(name).await);
        user.explains(name, &cause, &[words], next).await;
    }

    let mut large = prebuilt(6);
    large["run"]["resources"] = json!({ "requests": { "cpu": "100k" } });
    world.apply("large", large).await;
    world.until_says("large", &["Insufficient cpu"]).await;
    user.explains("large", "Starting (Unschedulable)", &["Insufficient cpu"], "kubectl describe pod").await;

    world.serve("later", prebuilt(7)).await;
    let pods = world
        .until_labelled::<Pod>("doce.dev/project=later,doce.dev/role=app", "a pod", |pods| !pods.is_empty())
        .await;
    let crash = json!({ "metadata": { "annotations": { "test.doce.dev/pod": "crash" } } });
    world.patch::<Pod>(&pods[0].name_any(), crash).await;
    world.until_ready("later", "False", "Unavailable").await;
    user.explains("later", "Unavailable", &["Nothing is on trial"], &format!("{log} later --app")).await;

    world.apply("init", migrating(8)).await;
    let pod = world.init_pod("").await;
    world.end_init(&pod, 3, "Error: column exists").await;
    world.until_ready("init", "False", "InitFailed").await;
    user.explains("init", "InitFailed (InitCommandFailed)", &["column exists"], &format!("{log} init --app"))
        .await;

    let quota: ResourceQuota = serde_json::from_value(
        json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } }),
    )
    .unwrap();
    world.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    world
        .until("none", "the quota is counted", |quota: Option<&ResourceQuota>| {
            quota.and_then(|quota| quota.status.as_ref()).is_some_and(|status| status.used.is_some())
        })
        .await;
    world.apply("quota", prebuilt(9)).await;
    world.until_says("quota", &["exceeded quota: none"]).await;
    user.explains(
        "quota",
        "Starting (FailedCreate)",
        &["exceeded quota: none"],
        "kubectl describe resourcequota",
    )
    .await;
    user.doce(&["doctor"]).await.ends(1).says(&["bad quotas", "quota none"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn explain_names_what_in_the_spec_or_the_cluster_keeps_a_project_from_running() {
    let world = World::new("cli-explain-spec").await;
    let user = User::of(&world).await;
    world.apply("unseen", prebuilt(1)).await;
    user.explains("unseen", "Unseen", &["has not processed the project yet"], "kubectl doce doctor").await;
    let port = world.take_ports(32725, &["other-shop"]).await;
    let options = Options { ports: (30100, 32767), build_limit: 1, ..Options::default() };
    let operator = Operator::start_with(&world, options).await;
    let edit = "kubectl edit pd";

    let mut pinned = prebuilt(1);
    pinned["pinnedVersion"] = json!("v00000000");
    world.fail("pin", pinned, "VersionUnknown").await;
    user.explains("pin", "VersionUnknown", &["spec.pinnedVersion v00000000"], "kubectl doce history pin")
        .await;

    let mut invalid = prebuilt(2);
    invalid["run"]["env"] = json!([{ "name": "A=B", "value": "1" }]);
    world.fail("invalid", invalid, "InvalidSpec").await;
    user.explains("invalid", "InvalidSpec", &["A=B"], edit).await;

    let pods = json!({ "metadata": { "labels": { "app": "other" } }, "spec": { "containers": [{ "name": "other", "image": "other" }] } });
    let spec = json!({ "replicas": 0, "selector": { "matchLabels": { "app": "other" } }, "template": pods });
    let other: Deployment =
        serde_json::from_value(json!({ "metadata": { "name": "taken" }, "spec": spec })).unwrap();
    world.api::<Deployment>().create(&PostParams::default(), &other).await.unwrap();
    world.fail("taken", prebuilt(3), "NameTaken").await;
    user.explains("taken", "NameTaken", &["Deployment taken already exists"], "kubectl get deploy").await;

    let missing = json!({ "source": { "configMap": { "name": "site" } } });
    world.fail("map", missing, "ConfigMapNotFound").await;
    user.explains("map", "ConfigMapNotFound", &["ConfigMap site"], "kubectl create configmap site").await;

    let mut fixed = prebuilt(4);
    fixed["expose"] = json!({ "nodePort": { "mode": "Fixed", "port": port } });
    world.fail("port", fixed, "PortUnavailable").await;
    user.explains("port", "PortUnavailable", &["is used by Service other-shop"], edit).await;

    world.serve("shop", prebuilt(5)).await;
    let second = world.serve("shop", prebuilt(6)).await;
    world.ask("shop", "rollback", "v00000000@1").await;
    let words = ["The last request doce.dev/rollback was rejected", "matches no version"];
    user.explains("shop", "Serving", &words, "kubectl doce history shop").await;
    world.ask("shop", "rollback", "previous@1").await;
    world.until_ready("shop", "True", "Held").await;
    user.explains("shop", "Held", &["will not be deployed"], &format!("kubectl doce rollback shop {second}"))
        .await;
    world.ask("shop", "rollback", &format!("{second}@2")).await; // The hold would go before the pin.
    world.until_ready("shop", "True", "Serving").await;
    let mut pinned = prebuilt(6);
    pinned["pinnedVersion"] = json!(second);
    world.apply("shop", pinned).await;
    world.until_ready("shop", "True", "Pinned").await;
    user.explains("shop", "Pinned", &["pinned by spec.pinnedVersion"], edit).await;

    let stopped = |field: &str, value: Value| {
        let mut spec = prebuilt(7);
        spec[field] = value;
        spec
    };
    world.apply("stopped", stopped("state", json!("Stopped"))).await;
    world.until_ready("stopped", "True", "Stopped").await;
    user.explains("stopped", "Stopped", &["no pods run"], "kubectl doce start stopped").await;
    world.apply("zero", stopped("replicas", json!(0))).await;
    world.until_ready("zero", "True", "Stopped").await;
    user.explains("zero", "Stopped", &["no pods run"], "kubectl doce scale zero --replicas 1").await;

    world.apply("first", commit(8)).await;
    world.running_build().await;
    world.fail("queued", commit(9), "Queued").await;
    user.explains("queued", "Queued", &["is 1st in the queue"], "kubectl doce status queued --watch").await;
    operator.stop().await;

    let first = world.take_ports(32735, &["one"]).await;
    let full = Options { ports: (first, first), ..Options::default() };
    let _operator = Operator::start_with(&world, full).await;
    world.fail("full", prebuilt(10), "PortsExhausted").await;
    user.explains("full", "PortsExhausted", &["port"], "kubectl doce list").await;
}

impl World {
    /// Reason of the failure of a project.
    async fn failure(&self, name: &str) -> String {
        self.get::<ProjectDeployment>(name).await.status.unwrap().failure.unwrap().reason
    }
}
