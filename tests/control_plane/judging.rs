//! Versions whose pods do not start, start too late, or fail later. The operator reports them at once, and the live
//! version serves.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::reading::{message, state_of, version_of};
use crate::harness::{Operator, World, behaving, by_hand, prebuilt};

impl World {
    /// Waits for the pod of this version of a project.
    async fn pod_of(&self, project: &str, version: &str) -> String {
        let labels = format!("doce.dev/project={project},doce.dev/version={version}");
        let pods = self.until_labelled::<Pod>(&labels, "a pod", |pods| !pods.is_empty()).await;
        pods[0].name_any()
    }

    /// Writes the state of the app's container, like a kubelet.
    pub(crate) async fn app_is(&self, pod: &str, state: Value, last: Option<Value>, restarts: i32) {
        let status = json!({ "status": {
            "phase": "Running",
            "containerStatuses": [{
                "name": "app", "image": "app", "imageID": "", "ready": false, "restartCount": restarts,
                "state": state, "lastState": last.unwrap_or_else(|| json!({})),
            }],
        }});
        let api = self.api::<Pod>();
        api.patch_status(pod, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }
}

impl World {
    /// Applies a version whose pod status the test writes. Returns its pod and its name.
    async fn trial_by_hand(&self, name: &str, before: &str) -> (String, String) {
        self.apply(name, by_hand(prebuilt(2))).await;
        let desired = |object: Option<&ProjectDeployment>| {
            object
                .and_then(|object| object.status.as_ref()?.desired_version.clone())
                .filter(|it| it != before)
        };
        let wanted = |object: Option<&ProjectDeployment>| desired(object).is_some();
        let project = self.until(name, "another version is wanted", wanted).await;
        let version = desired(Some(&project)).unwrap();
        (self.pod_of(name, &version).await, version)
    }

    /// Publishes a kubelet event about a failed probe.
    async fn kubelet_says(&self, pod: &str, number: u8, said: &str) {
        let uid = self.get::<Pod>(pod).await.uid();
        let namespace = self.get::<Pod>(pod).await.namespace();
        let now = jiff::Timestamp::now().to_string();
        let event = json!({
            "metadata": { "name": format!("{pod}.{number}") },
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod, "uid": uid,
                "fieldPath": "spec.containers{app}",
            },
            "reason": "Unhealthy", "type": "Warning", "message": said, "source": { "component": "kubelet" },
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        });
        let event: Event = serde_json::from_value(event).unwrap();
        self.api::<Event>().create(&kube::api::PostParams::default(), &event).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_that_cannot_be_pulled_is_reported_at_once_and_fails_at_the_deadline() {
    let world = World::new("pull").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let mut spec = behaving(prebuilt(2), "pull-error");
    spec["rollout"]["deadlineSeconds"] = json!(3600);
    world.apply("shop", spec).await;
    let named = world.until_says("shop", &["Back-off pulling image"]).await;
    assert!(message(&named, "Ready").contains(&format!("{first} keeps serving")));
    assert!(named.status.unwrap().failure.is_none(), "the error may pass");
    world.time_is_over("shop").await;
    let failed = world.until_ready("shop", "False", "RolloutFailed").await.status.unwrap();
    assert_eq!(failed.failure.unwrap().reason, "ImagePullBackOff");
    assert_eq!(failed.version, Some(first));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn temporary_pod_errors_are_reported_at_once_and_judged_at_the_deadline() {
    let world = World::new("named").await;
    let _operator = Operator::start(&world).await;
    let ended = |code: i32, reason: &str| json!({ "terminated": { "exitCode": code, "reason": reason } });
    let loops = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off restarting failed container" } });
    let config = json!({ "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"keys\" not found" } });
    for (name, state, last, words) in [
        ("config", config, None, "secret \"keys\" not found"),
        // Bad input 103: image whose program ends at once with exit code 0
        ("zero", loops.clone(), Some(ended(0, "Completed")), "exit code 0 (Completed)"),
        ("memory", loops, Some(ended(137, "OOMKilled")), "exit code 137 (OOMKilled)"),
    ] {
        let first = world.serve(name, prebuilt(1)).await;
        world.apply(name, by_hand(prebuilt(2))).await;
        let desired = |object: Option<&ProjectDeployment>| {
            object
                .and_then(|object| object.status.as_ref()?.desired_version.clone())
                .filter(|it| *it != first)
        };
        let project = world
            .until(name, "another version is wanted", |object: Option<&ProjectDeployment>| {
                desired(object).is_some()
            })
            .await;
        let second = desired(Some(&project)).unwrap();
        let pod = world.pod_of(name, &second).await;
        world.app_is(&pod, state, last, 1).await;
        let named = world.until_says(name, &[words]).await;
        assert_eq!(named.status.as_ref().unwrap().version.as_deref(), Some(first.as_str()), "{name}");
        assert_ne!(state_of(&named, &second), "Failed", "{name}: the error may pass");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_app_without_its_program_fails_long_before_its_deadline() {
    let world = World::new("hopeless").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let failed = world.fail("shop", behaving(prebuilt(2), "crash"), "RolloutFailed").await;
    assert!(
        message(&failed, "Ready").contains("was not found in the image"),
        "{}",
        message(&failed, "Ready")
    );
    world.until_in_place("shop", &first).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_app_that_exits_gets_its_whole_deadline_and_its_log_is_kept() {
    let world = World::new("exits").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let (pod, second) = world.trial_by_hand("shop", &first).await;
    let said = "/app/a.js:1\nthrow x\n^\n\nTypeError: x is not a function\n    at a (/app/a.js:1:1)\n\nNode.js v22.23.3\n";
    let last = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": said } });
    let loops = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container" } });
    world.app_is(&pod, loops, Some(last), 9).await;
    let named = world.until_says("shop", &["exit code 1: TypeError: x is not a function"]).await;
    assert_ne!(state_of(&named, &second), "Failed", "its dependency may appear");
    world.time_is_over("shop").await;
    let failed = world.until_ready("shop", "False", "RolloutFailed").await;
    let failure = failed.status.as_ref().unwrap().failure.clone().unwrap();
    assert!(
        failure.log.ends_with("Node.js v22.23.3") && failure.log.contains("at a (/app/a.js:1:1)"),
        "{failure:?}"
    );
    assert!(message(&failed, "Ready").contains("Push a fix"), "{}", message(&failed, "Ready"));
    world.until_in_place("shop", &first).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn probe_failures_are_explained_with_the_line_to_add() {
    let world = World::new("met").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let (pod, _) = world.trial_by_hand("shop", &first).await;
    let long_ago = json!({ "running": { "startedAt": "2020-01-01T00:00:00Z" } });
    world.app_is(&pod, long_ago, None, 0).await;
    world.until_says("shop", &["does it listen on port 3000"]).await;
    for (number, said, words) in [
        (1, "HTTP probe failed with statuscode: 401", "GET / answered 401: it requires a login"),
        (
            2,
            "Get \"https://10.0.0.1:3000/\": http: server gave HTTP response to HTTPS client",
            "GET / redirects to https://10.0.0.1:3000/",
        ),
        (
            3,
            "Get \"http://10.0.0.1:3000/\": dial tcp 10.0.0.1:3000: connect: connection refused",
            "connection refused on port 3000",
        ),
    ] {
        world.kubelet_says(&pod, number, &format!("Startup probe failed: {said}")).await;
        world.until_says("shop", &[words, "spec.run."]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_that_fails_because_of_a_fault_is_retried() {
    let world = World::new("outside").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let (pod, second) = world.trial_by_hand("shop", &first).await;
    let pull = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } });
    world.app_is(&pod, pull, None, 0).await;
    world.until_says("shop", &["Back-off pulling image"]).await;
    world.time_is_over("shop").await;
    let failed = world.until_ready("shop", "False", "RolloutFailed").await;
    let says = message(&failed, "Ready");
    assert!(
        says.contains("the operator retries at") && says.contains(&format!("{first} keeps serving")),
        "{says}"
    );
    world.until_in_place("shop", &second).await;
    let again = world.get::<ProjectDeployment>("shop").await;
    assert_eq!(again.status.unwrap().version, Some(first), "the live version serves");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unschedulable_pod_and_a_forbidden_pod_are_reported() {
    let world = World::new("no-place").await;
    let _operator = Operator::start(&world).await;
    let mut large = prebuilt(1);
    large["run"]["resources"] = json!({ "requests": { "cpu": "100k" } });
    world.apply("large", large).await;
    world.until_says("large", &["Insufficient cpu"]).await;
    world.enforces("restricted").await;
    world.apply("forbidden", prebuilt(1)).await;
    world.until_says("forbidden", &["violates PodSecurity"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn all_replicas_stay_while_a_version_fails_within_its_guard() {
    let world = World::new("guard").await;
    let _operator = Operator::start(&world).await;
    let three = |mut spec: Value, guard: u32| {
        spec["replicas"] = json!(3);
        spec["rollout"]["minReadySeconds"] = json!(guard);
        spec
    };
    let first = world.serve("shop", three(prebuilt(1), 1)).await;
    let names = |pods: Vec<Pod>| pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    let before = names(world.app_pods().await);
    assert_eq!(before.len(), 3);
    // However long the machine stalls, it fails within its guard.
    world.fail("shop", three(behaving(prebuilt(2), "ready-then-crash"), 600), "RolloutFailed").await;
    world.until_serving_again("shop", &first).await;
    assert_eq!(names(world.app_pods().await), before, "the same pods serve");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_with_one_of_three_pods_ready_fails_at_its_deadline() {
    let world = World::new("partly").await;
    let _operator = Operator::start(&world).await;
    let three = |mut spec: Value, deadline: u32| {
        spec["replicas"] = json!(3);
        spec["rollout"]["deadlineSeconds"] = json!(deadline);
        spec
    };
    let first = world.serve("shop", three(prebuilt(1), 600)).await;
    world.apply("shop", three(behaving(prebuilt(2), "never-ready"), 3600)).await;
    let starting = world.until_ready("shop", "False", "Starting").await;
    let second = starting.status.unwrap().desired_version.unwrap();
    let pod = world.pod_of("shop", &second).await;
    world
        .patch::<Pod>(&pod, json!({ "metadata": { "annotations": { "test.doce.dev/pod": "ready" } } }))
        .await;
    world
        .until("shop", "one of its pods is ready, and the next one is not", |there: Option<&Deployment>| {
            let status = there.and_then(|there| there.status.as_ref());
            status.is_some_and(|status| {
                status.updated_replicas == Some(2) && status.available_replicas == Some(3)
            })
        })
        .await;
    let partly = world.get::<ProjectDeployment>("shop").await;
    assert_ne!(state_of(&partly, &second), "Serving");
    assert_eq!(partly.status.unwrap().version.as_deref(), Some(first.as_str()));

    world.time_is_over("shop").await;
    let failed = world.until_ready("shop", "False", "RolloutFailed").await;
    assert_eq!(state_of(&failed, &second), "Failed");
    world.until_serving_again("shop", &first).await;
    world.until_sets(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_live_version_that_fails_later_is_unavailable_and_not_rolled_back() {
    let world = World::new("late").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.until_sets(2).await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    let pod = world.pod_of("shop", &second).await;
    world
        .patch::<Pod>(&pod, json!({ "metadata": { "annotations": { "test.doce.dev/pod": "crash" } } }))
        .await;
    let fallen = world.until_ready("shop", "False", "Unavailable").await;
    assert!(message(&fallen, "Ready").contains("Nothing is on trial"), "{}", message(&fallen, "Ready"));
    assert_ne!(state_of(&fallen, &second), "Failed");
    world
        .patch::<Pod>(&pod, json!({ "metadata": { "annotations": { "test.doce.dev/pod": "ready" } } }))
        .await;
    world.until_serving("shop", &second).await;
    operator.journal.at_rest().await;
    let other: Vec<_> = operator.journal.writes().split_off(before);
    assert!(other.iter().all(|write| write.path.ends_with("/status")), "only the status: {other:?}");
    assert_eq!(world.list::<ReplicaSet>().await.len(), 2);
}

impl World {
    /// Waits until the Deployment is complete with this version.
    async fn until_serving_again(&self, name: &str, version: &str) {
        let version = version.to_owned();
        self.until(name, "complete in the old version", move |deployment: Option<&Deployment>| {
            deployment.is_some_and(|deployment| {
                let (spec, status) = (deployment.spec.as_ref().unwrap(), deployment.status.as_ref());
                version_of(deployment) == version
                    && status.is_some_and(|status| {
                        status.observed_generation == deployment.metadata.generation
                            && status.replicas == spec.replicas
                            && status.available_replicas == spec.replicas
                            && status.updated_replicas == spec.replicas
                    })
            })
        })
        .await;
    }
}
