//! Build pods: settings of the platform owner and the project, and errors that a build pod cannot report itself.
//! Scheduler, Job controller and Pod Security are real; the test writes the kubelet's messages.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Built, Operator, Options, World, branch, commit, condition, is, prebuilt};

/// A retry delay that outlasts the test.
const PATIENT: u32 = 300;

fn wishing(n: u8, resources: &Value) -> Value {
    let mut spec = commit(n);
    spec["build"] = json!({ "resources": resources });
    spec
}

async fn operator(world: &World, build_pods: &'static str) -> Operator {
    let options = Options { build_pods: Some(build_pods), retry_seconds: PATIENT, ..Options::default() };
    Operator::start_with(world, options).await
}

async fn end(world: &World, pod: &Pod, status: Value) {
    let patch = Patch::Strategic(json!({ "status": status }));
    world.api::<Pod>().patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.unwrap();
}

/// Sets the deadline of a Job in seconds from its start.
async fn may_take(world: &World, job: &str, seconds: u32) {
    world.patch::<Job>(job, json!({ "spec": { "activeDeadlineSeconds": seconds } })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn resources_above_the_maximum_stall_and_the_live_version_serves() {
    let world = World::new("ceiling").await;
    let _operator = operator(&world, r#"{"maxResources": {"memory": "3Gi"}}"#).await;
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;

    world.apply("shop", wishing(2, &json!({ "limits": { "memory": "3073Mi" } }))).await;
    let refused = world.until_ready("shop", "False", "InvalidSpec").await;
    assert!(is(&refused, "Stalled", "True", "InvalidSpec") && is(&refused, "Available", "True", "Serving"));
    let says = message(&refused, "Ready");
    assert!(
        says.starts_with("spec.build.resources.limits.memory is 3073Mi") && says.contains("at most 3Gi"),
        "{says}"
    );
    assert_eq!(world.list::<Job>().await.len(), 1);

    world.apply("shop", wishing(2, &json!({ "limits": { "memory": "3Gi", "cpu": 2 } }))).await;
    let (job, _) = world.running_build().await;
    let build = &job.spec.unwrap().template.spec.unwrap().containers[0];
    let resources = serde_json::to_value(build.resources.clone()).unwrap();
    assert_eq!(resources["limits"], json!({ "memory": "3Gi", "cpu": "2", "ephemeral-storage": "20Gi" }));
    let requests = json!({ "memory": "256Mi", "cpu": "100m", "ephemeral-storage": "0" });
    assert_eq!(resources["requests"], requests, "as the platform says");
    world.finish_build(Built::default()).await;
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap().version;

    let jobs = world.list::<Job>().await.len();
    let applied = world.apply("shop", wishing(2, &json!({ "limits": { "memory": "1Gi" } }))).await;
    let same = world
        .until("shop", "the edit is observed", move |object: Option<&ProjectDeployment>| {
            let seen =
                object.and_then(|object| object.status.as_ref()).map(|status| status.observed_generation);
            seen == applied.metadata.generation
        })
        .await;
    assert_eq!(same.status.unwrap().version, second, "build resources are not part of the version");
    assert_eq!(world.list::<Job>().await.len(), jobs);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn invalid_amounts_are_rejected_at_apply() {
    let world = World::new("amounts").await;
    for (resources, says) in [
        (json!({ "limits": { "memory": "4GB" } }), "memory must be an amount above 0 such as 512Mi or 4Gi"),
        (json!({ "requests": { "cpu": "0" } }), "cpu must be an amount above 0 such as 500m or 2"),
        (
            json!({ "requests": { "memory": "2Gi" }, "limits": { "memory": "2000Mi" } }),
            "spec.build.resources.requests must not be above spec.build.resources.limits",
        ),
    ] {
        let refused = world.try_apply("shop", wishing(1, &resources)).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
    world.apply("shop", wishing(1, &json!({ "requests": { "cpu": 1, "memory": "1Gi" } }))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_namespace_that_forbids_build_pods_is_reported_with_the_label_that_admits_them() {
    let world = World::new("forbidden").await;
    world.enforces("restricted").await;
    let _operator = operator(&world, "{}").await;
    let refused = world.fail("shop", commit(1), "PodForbidden").await;
    let says = message(&refused, "Ready");
    assert!(says.contains("pod-security.kubernetes.io/enforce=privileged"), "{says}");
    assert!(says.contains("spec.source.image") && says.contains("kubectl describe job"), "{says}");
    assert!(
        is(&refused, "Reconciling", "True", "PodForbidden") && is(&refused, "Built", "False", "PodForbidden")
    );
    let job = refused.status.unwrap().build.unwrap().id;

    may_take(&world, &job, 1).await;
    let ended = world.until_says("shop", &["Retrying"]).await;
    assert!(is(&ended, "Ready", "False", "PodForbidden"), "{:?}", condition(&ended, "Ready"));
    world.enforces("privileged").await;
    assert!(world.ask("shop", "retry", "@1").await.starts_with("retrying"));
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restricted_namespace_admits_the_build_pod_of_a_remote_daemon() {
    let world = World::new("remote-builds").await;
    world.enforces("restricted").await;
    let options = Options { remote: Some("tcp://buildkitd.builds.svc:1234"), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_spec_that_names_the_secret_of_the_remote_daemon_stalls_and_the_live_version_serves() {
    let world = World::new("remote-secret").await;
    let options = Options { remote: Some("tcp://buildkitd.builds.svc:1234"), ..Options::default() };
    let operator = Operator::start_with(&world, options).await;
    let live = world.serve("shop", prebuilt(1)).await;

    let mut builds = commit(2);
    builds["source"]["git"]["secretRef"] = json!({ "name": "buildkit" });
    let mut looks_up = branch("main");
    looks_up["build"]["secrets"] =
        json!([{ "id": "KEY", "secretRef": { "name": "buildkit", "key": "tls.key" } }]);
    let mut runs = prebuilt(2);
    runs["run"]["volumes"] = json!([{ "name": "x", "mountPath": "/x", "secret": { "name": "buildkit" } }]);
    for (spec, field) in [
        (builds, "spec.source.git.secretRef"),
        (looks_up, "spec.build.secrets[0].secretRef"),
        (runs, "spec.run.volumes[0].secret"),
    ] {
        world.apply("shop", spec).await;
        let refused = world.until_says("shop", &[field]).await;
        let says = message(&refused, "Ready");
        assert!(says.starts_with(&format!("{field} names the Secret buildkit")), "{says}");
        assert!(says.contains("build.remote.secretName") && says.ends_with("Name another Secret"), "{says}");
        assert!(
            is(&refused, "Ready", "False", "InvalidSpec") && is(&refused, "Stalled", "True", "InvalidSpec")
        );
        assert!(is(&refused, "Available", "True", "Serving"));
        assert_eq!(refused.status.unwrap().version.as_ref(), Some(&live));
    }
    operator.journal.at_rest().await;
    assert!(world.list::<Job>().await.is_empty(), "no pod got it");
    let mut own = prebuilt(2);
    own["run"]["volumes"] = json!([{ "name": "x", "mountPath": "/x", "secret": { "name": "own" } }]);
    world.serve("shop", own).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_from_before_the_profile_remote_that_names_the_secret_gets_no_new_pods() {
    let world = World::new("remote-recorded").await;
    let operator = Operator::start(&world).await;
    let mut spec = prebuilt(1);
    spec["run"]["env"] =
        json!([{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "buildkit", "key": "tls.key" } } }]);
    let first = world.serve("shop", spec).await;
    for n in [2, 3] {
        world.serve("shop", prebuilt(n)).await; // Its ReplicaSet is gone, its record stays.
    }
    world.until_sets(2).await;
    operator.stop().await;
    let options = Options { remote: Some("tcp://buildkitd.builds.svc:1234"), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    world.annotate("shop", "doce.dev/rollback", &format!("{first}@1")).await;
    let refused = world.until_ready("shop", "False", "InvalidSpec").await;
    let says = message(&refused, "Ready");
    assert!(says.starts_with(&format!("Version {first} names the Secret buildkit")), "{says}");
    assert!(is(&refused, "Available", "True", "Serving"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_full_quota_in_a_restricted_namespace_is_reported_without_a_label() {
    let world = World::new("remote-quota").await;
    world.enforces("restricted").await;
    let quota = json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } });
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    let options = Options { remote: Some("tcp://buildkitd.builds.svc:1234"), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    let refused = world.fail("shop", commit(1), "PodForbidden").await;
    let says = message(&refused, "Ready");
    assert!(
        says.contains("A quota or admission policy of namespace") && !says.contains("enforce=privileged"),
        "{says}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_starts_only_on_a_node_of_an_architecture_of_the_image() {
    let world = World::new("architectures").await;
    let options = |architectures| Options { architectures, retry_seconds: PATIENT, ..Options::default() };
    let operator = Operator::start_with(&world, options(&["arm64"])).await;
    // The node of these tests is amd64.
    let waits = world.fail("shop", commit(1), "Unschedulable").await;
    let says = message(&waits, "Ready");
    assert!(says.contains("nodes are available") && says.contains("image.architectures"), "{says}");
    drop(operator);
    world.delete::<Job>(&waits.status.unwrap().build.unwrap().id).await;

    let _operator = Operator::start_with(&world, options(&["amd64", "arm64"])).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
    let pods = world.app_pods().await;
    let nodes = pods[0].spec.as_ref().unwrap().node_selector.clone().unwrap();
    assert_eq!(
        (nodes["kubernetes.io/os"].as_str(), nodes["kubernetes.io/arch"].as_str()),
        ("linux", "amd64")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unschedulable_build_shows_the_schedulers_message() {
    let world = World::new("unschedulable").await;
    let _operator = operator(&world, r#"{"nodeSelector": {"pool": "nowhere"}}"#).await;
    let waits = world.fail("shop", commit(1), "Unschedulable").await;
    let says = message(&waits, "Ready");
    assert!(says.contains("nodes are available") && says.contains("build.nodeSelector"), "{says}");
    let job = waits.status.unwrap().build.unwrap().id;

    may_take(&world, &job, 33).await; // 3 s plus 30 s to report the result.
    let ended = world.until_says("shop", &["did not run within 3 s"]).await;
    let says = message(&ended, "Ready");
    assert!(says.contains("nodes are available") && says.contains("got its place in the queue"), "{says}");
    assert!(is(&ended, "Reconciling", "True", "Unschedulable"), "a fault, not a verdict");
    let failure = ended.status.unwrap().failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.reason.as_str()), ("Build", "Unschedulable"));

    world.until_gone::<Job>(&job).await;
    assert!(world.list::<Pod>().await.is_empty());
    let after = world.get::<ProjectDeployment>("shop").await;
    assert_eq!(message(&after, "Ready"), says, "the pod is gone, but the cause is still reported");
    world.ask("shop", "retry", "@1").await;
    world
        .until("shop", "another attempt waits for a node", move |object: Option<&ProjectDeployment>| {
            let build = object.and_then(|object| object.status.as_ref()?.build.as_ref());
            build.is_some_and(|build| build.id != job)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_timeout_names_the_field_that_extends_it() {
    let world = World::new("silent").await;
    let _operator = operator(&world, "{}").await;
    world.apply("shop", commit(1)).await;
    let (job, _) = world.running_build().await;
    may_take(&world, &job.name_any(), 1).await;
    let ended = world.until_ready("shop", "False", "BuildTimeout").await;
    let says = message(&ended, "Ready");
    assert!(says.contains("after 1 s") && says.contains("spec.build.timeoutSeconds"), "{says}");
    assert!(is(&ended, "Reconciling", "True", "BuildTimeout"), "a fault, not a verdict");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_pod_image_that_cannot_be_pulled_has_its_own_reason() {
    let world = World::new("builder-image").await;
    let _operator = operator(&world, "{}").await;
    world.apply("shop", commit(1)).await;
    let (_, pod) = world.running_build().await;
    let annotation = json!({ "metadata": { "annotations": { "test.doce.dev/pod": "pull-error" } } });
    world.patch::<Pod>(&pod.name_any(), annotation).await;
    let waits = world.until_ready("shop", "False", "BuilderImageUnavailable").await;
    let says = message(&waits, "Ready");
    assert!(says.contains("ImagePullBackOff") && says.contains("build.buildkitImage"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_out_of_memory_names_its_limit_and_a_retry_uses_the_new_one() {
    let world = World::new("memory").await;
    let _operator = operator(&world, "{}").await;
    world.apply("shop", wishing(1, &json!({ "limits": { "memory": "640Mi" } }))).await;
    let (_, pod) = world.running_build().await;
    let now = k8s_openapi::jiff::Timestamp::now();
    let killed = json!({ "exitCode": 137, "reason": "OOMKilled", "startedAt": now, "finishedAt": now });
    let container = json!({
        "name": "build", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": killed },
    });
    end(&world, &pod, json!({ "phase": "Failed", "containerStatuses": [container] })).await;
    let killed = world.until_ready("shop", "False", "OutOfMemory").await;
    let says = message(&killed, "Ready");
    assert!(says.contains("640Mi") && says.contains("spec.build.resources.limits.memory"), "{says}");
    assert!(
        is(&killed, "Built", "False", "OutOfMemory") && is(&killed, "Reconciling", "True", "OutOfMemory")
    );

    world.apply("shop", wishing(1, &json!({ "limits": { "memory": "2Gi" } }))).await;
    world.ask("shop", "retry", "@1").await;
    let (job, _) = world.running_build().await;
    let limits = job.spec.unwrap().template.spec.unwrap().containers[0].resources.clone().unwrap().limits;
    assert_eq!(limits.unwrap()["memory"].0, "2Gi");
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_evicted_build_shows_the_nodes_message_and_the_job_replaces_a_disrupted_pod() {
    let world = World::new("evicted").await;
    let _operator = operator(&world, "{}").await;
    world.apply("shop", commit(1)).await;
    let (job, pod) = world.running_build().await;
    let disrupted = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "the node is gone",
    });
    end(&world, &pod, json!({ "phase": "Failed", "conditions": [disrupted] })).await;
    let first = pod.name_any();
    let (same, pod) = world.running_build().await;
    assert_eq!(same.name_any(), job.name_any());
    assert_ne!(pod.name_any(), first, "another pod of the same Job");

    let words = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi.";
    end(&world, &pod, json!({ "phase": "Failed", "reason": "Evicted", "message": words })).await;
    let evicted = world.until_ready("shop", "False", "Evicted").await;
    let says = message(&evicted, "Ready");
    assert!(says.contains(words) && says.contains("Free disk on the nodes"), "{says}");
    world.ask("shop", "retry", "@1").await;

    let (_, pod) = world.running_build().await;
    let words = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.";
    end(&world, &pod, json!({ "phase": "Failed", "reason": "Evicted", "message": words })).await;
    let full = world.until_ready("shop", "False", "OutOfDisk").await;
    let says = message(&full, "Ready");
    assert!(says.contains(words) && says.contains("ephemeral-storage of build.resources"), "{says}");
    world.ask("shop", "retry", "@2").await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
}
