//! Namespaces that enforce Pod Security: the API server's own admission decides on the app's pods. Builds run before
//! the label is set, or elsewhere, because their pods need more than either level admits.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Built, Operator, World, commit, prebuilt};

impl World {
    /// Builds `spec` with an image that runs as this user. The namespace gets its label before the app's pods are
    /// created.
    async fn build_as(&self, name: &str, spec: Value, uid: i64, level: &str) {
        self.enforces("privileged").await;
        self.apply(name, spec).await;
        self.running_build().await;
        self.enforces(level).await;
        self.finish_build_as(Built::default(), uid).await;
    }
}

fn with(mut spec: Value, run: &Value) -> Value {
    spec["run"] = run.clone();
    spec["rollout"]["deadlineSeconds"] = json!(600);
    spec
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_with_a_user_runs_in_a_restricted_namespace_even_on_a_low_port() {
    let world = World::new("restricted").await;
    let _operator = Operator::start(&world).await;
    for (n, name, run) in [
        (1, "plain", json!({})),
        (2, "low", json!({ "port": 80 })),
        (3, "strict", json!({ "security": "Restricted" })),
    ] {
        world.build_as(name, with(commit(n), &run), 1000, "restricted").await;
        world.until_ready(name, "True", "Serving").await;
    }
    let low = world.get::<Deployment>("low").await.spec.unwrap().template.spec.unwrap();
    assert_eq!(low.security_context.unwrap().sysctls.unwrap()[0].name, "net.ipv4.ip_unprivileged_port_start");
    // Bad input 105: image of another architecture than some nodes
    assert_eq!(low.node_selector.unwrap()["kubernetes.io/arch"], "amd64");
}

// Bad input 102: image that runs as root, in a namespace that enforces "baseline"
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_root_image_in_a_baseline_namespace_warns_unless_root_is_intended() {
    let world = World::new("baseline").await;
    let _operator = Operator::start(&world).await;
    world.build_as("auto", with(commit(1), &json!({ "port": 80 })), 0, "baseline").await;
    let auto = world.until_ready("auto", "True", "Serving").await;
    assert!(message(&auto, "Ready").contains("runs as root"), "{}", message(&auto, "Ready"));
    let meant = json!({ "port": 80, "security": "Baseline" });
    world.build_as("meant", with(commit(2), &meant), 0, "baseline").await;
    let meant = world.until_ready("meant", "True", "Serving").await;
    assert!(!message(&meant, "Ready").contains("root"), "{}", message(&meant, "Ready"));
    world.build_as("user", with(commit(3), &json!({})), 1000, "baseline").await;
    world.until_ready("user", "True", "Serving").await;
}

// Bad input 102: image that runs as root, in a namespace that enforces "restricted"
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_root_image_in_a_restricted_namespace_is_reported_with_the_fix() {
    let world = World::new("restricted-root").await;
    let _operator = Operator::start(&world).await;
    world.build_as("shop", with(commit(1), &json!({})), 0, "restricted").await;
    let said = &["ForbiddenByPodSecurity", "add USER", "pod-security.kubernetes.io/enforce=baseline"];
    let refused = world.until_says("shop", said).await;
    assert!(message(&refused, "Ready").contains("runAsNonRoot"), "{}", message(&refused, "Ready"));
    assert!(
        world
            .list::<Pod>()
            .await
            .iter()
            .all(|pod| pod.metadata.labels.as_ref().unwrap()["doce.dev/role"] != "app")
    );
    world.enforces("baseline").await;
    world.annotate("shop", "doce.dev/retry", "@1").await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_of_unknown_user_runs_restricted_once_the_named_field_is_set() {
    let world = World::new("restricted-unknown").await;
    let _operator = Operator::start(&world).await;
    world.enforces("restricted").await;
    world.apply("shop", with(prebuilt(1), &json!({}))).await;
    world.until_says("shop", &["ForbiddenByPodSecurity", "spec.run.security: Restricted"]).await;
    world.apply("shop", with(prebuilt(1), &json!({ "security": "Restricted" }))).await;
    world.until_ready("shop", "True", "Serving").await;
}

// Bad input 102: image that runs as root, where spec.run.security is Restricted
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn restricted_rejects_a_root_image_before_any_pod_and_the_live_version_serves() {
    let world = World::new("root-refused").await;
    let _operator = Operator::start(&world).await;
    let restricted = json!({ "security": "Restricted" });
    world.apply("shop", with(commit(1), &restricted)).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version;
    let before = world.get::<Deployment>("shop").await.metadata.generation;
    world.apply("shop", with(commit(2), &restricted)).await;
    world.running_build().await;
    world.finish_build_as(Built::default(), 0).await;
    let refused = world.until_ready("shop", "False", "ImageRunsAsRoot").await.status.unwrap();
    assert_eq!((refused.version, refused.failure.unwrap().reason.as_str()), (first, "ImageRunsAsRoot"));
    assert_eq!(world.get::<Deployment>("shop").await.metadata.generation, before, "nothing was rolled out");
    world.apply("shop", with(commit(2), &json!({ "security": "Baseline" }))).await;
    world.until_ready("shop", "True", "Serving").await;
}
