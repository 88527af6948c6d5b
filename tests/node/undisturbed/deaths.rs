//! What a build and its image depend on dies: the builder pod, the registry with its proxy, the proxy of the node. The build
//! ends well all the same, and an image that was lost with the registry is built again when a node needs it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{DeleteParams, LogParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::administrator::kubectl;
use crate::client::until_answer;
use crate::harness::{World, holds};
use crate::repository::variable;
use crate::tenants::{builder_of, builds};

/// A site whose build waits for a Service `go-on`.
const DOCKERFILE: &str = "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\n\
    RUN until nslookup go-on.deaths.svc.cluster.local > /dev/null 2>&1; do sleep 1; done\nUSER 1000\n\
    CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";

/// Ends the pods of the embedded registry or of the proxy of the node at once, and waits for their successors.
async fn kill(kind: &str, name: &str, component: &str) {
    let system = "--namespace=doce-system";
    let of = format!("--selector=app.kubernetes.io/component={component}");
    kubectl(&["delete", "pod", system, &of, "--grace-period=0", "--force"]).await;
    kubectl(&["rollout", "status", system, "--timeout=15m", &format!("{kind}/{name}")]).await;
}

/// Removes an image from the node, as the kubelet does if its disk is full.
async fn forget_on_the_node(image: &str) {
    let socket = variable("DOCE_CONTAINERD_SOCKET");
    let mut ctr = tokio::process::Command::new("ctr");
    ctr.args(["--address", &socket, "--namespace=k8s.io", "images", "rm", "--sync", image]);
    let output = ctr.kill_on_drop(true).output().await.expect("containerd has ctr");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns once the step of the build that waits has begun, as the log of the build pod says.
async fn step_waits(world: &World) {
    let params = LogParams { container: Some("build".to_owned()), ..LogParams::default() };
    loop {
        for pod in world.list::<Pod>().await {
            let log = world.api::<Pod>().logs(&pod.name_any(), &params).await;
            if log.is_ok_and(|log| log.contains("nslookup")) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_build_outlives_its_builder_the_registry_and_the_proxies_and_a_lost_image_comes_back() {
    let world = World::undisturbed("deaths").await;
    let pages = json!({ "data": { "index.html": "still here", "Dockerfile": DOCKERFILE } });
    world.apply::<ConfigMap>("pages", pages).await;
    let spec = json!({ "source": { "configMap": { "name": "pages" } }, "rollout": { "minReadySeconds": 1 } });
    world.deploy("site", &spec).await;

    let (builder, _) = builder_of(&world).await;
    // A build that has not reached its builder pod yet just takes the next one.
    let waits = tokio::time::timeout(world.patience, step_waits(&world)).await;
    assert!(waits.is_ok(), "timed out waiting for the step that waits");
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let pods: Api<Pod> = builds(&world).api();
    pods.delete(&builder.name_any(), &at_once).await.unwrap();
    let says = "the builder pod is gone, and the next attempt has another one";
    world
        .until_status("site", says, |status| {
            status.failure.as_ref().is_some_and(|it| it.reason == "BuilderLost")
        })
        .await;
    builder_of(&world).await;
    kill("statefulset", "doce-doce-operator-registry", "registry").await;
    kill("daemonset", "doce-doce-operator-registry-proxy", "registry-proxy").await;
    world.apply::<Service>("go-on", json!({ "spec": { "ports": [{ "port": 80 }] } })).await;
    let serves = world.until_ready("site").await;
    until_answer(&world.address, serves.node_port.unwrap(), "still here").await;

    // The storage of the registry is lost with its pod, and the node has no copy.
    kill("statefulset", "doce-doce-operator-registry", "registry").await;
    forget_on_the_node(serves.image.as_deref().unwrap()).await;
    kubectl(&["scale", "pd/site", "--namespace=deaths", "--replicas=2"]).await;
    let lost = |status: &doce_operator::crd::ProjectDeploymentStatus| {
        let build = status.build.as_ref().is_some_and(|build| build.reason == "ImageLost");
        build && holds(status, "Ready") && status.replicas == Some(2)
    };
    let back = world.until_status("site", "it was built again, and both pods run", lost).await;
    assert_eq!(back.version, serves.version, "it is the same version");
    until_answer(&world.address, back.node_port.unwrap(), "still here").await;
}
