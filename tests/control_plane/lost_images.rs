//! Images that are gone from their registry: a node says so, and the operator builds them again under the same version.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::Stage;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::builds::{Built, failed};
use crate::harness::reading::message;
use crate::harness::{Operator, Options, World, by_hand, commit, is};
use crate::sweep::Upstream;

/// Says how kwok treats a pod. Without it, these pods wait.
const HOW: &str = "test.doce.dev/pod";

impl World {
    /// Serves a built project whose pods start as the test says. Returns its version and its image.
    async fn serve_built(&self, name: &str, n: u8) -> (String, String) {
        self.apply(name, by_hand(commit(n))).await;
        self.finish_build(Built::default()).await;
        let has_image = |object: Option<&Deployment>| image_of(object).is_some();
        let deployment = self.until(name, "a Deployment", has_image).await;
        self.start_pods(name, &image_of(Some(&deployment)).unwrap(), 1).await;
        let serves = self.until_ready(name, "True", "Serving").await.status.unwrap();
        (serves.version.unwrap(), serves.image.unwrap())
    }

    /// Lets the next pods with this image start, so many one after the other.
    async fn start_pods(&self, project: &str, image: &str, many: usize) {
        let labels = format!("doce.dev/project={project},doce.dev/role=app");
        let waits = |pod: &Pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let named = containers.into_iter().any(|container| container.image.as_deref() == Some(image));
            named && !pod.annotations().contains_key(HOW) && pod.metadata.deletion_timestamp.is_none()
        };
        for _ in 0..many {
            let found = |pods: &[Pod]| pods.iter().any(waits);
            let pods = self.until_labelled::<Pod>(&labels, "a pod that waits", found).await;
            let pod = pods.into_iter().find(waits).expect("a pod that waits");
            self.patch::<Pod>(&pod.name_any(), json!({ "metadata": { "annotations": { HOW: "ready" } } }))
                .await;
        }
    }

    /// One more pod, on a node that does not find the image in its registry.
    async fn a_node_misses(&self, project: &str, image: &str) {
        self.kubectl(&["scale", &format!("pd/{project}"), "--replicas=2"]).await.well();
        let labels = format!("doce.dev/project={project},doce.dev/role=app");
        let pods = self.until_labelled::<Pod>(&labels, "two pods", |pods| pods.len() == 2).await;
        let is_new = |pod: &&Pod| !pod.annotations().contains_key(HOW);
        let pod = pods.iter().find(is_new).expect("a pod that was not started");
        let says = format!(
            "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve reference \
             \"{image}\": {image}: not found"
        );
        let pull = json!({ "waiting": { "reason": "ErrImagePull", "message": says } });
        self.app_is(&pod.name_any(), pull, None, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_that_is_gone_is_built_again_and_its_pods_get_the_new_one() {
    let world = World::new("lost").await;
    let _operator = Operator::start(&world).await;
    let (version, image) = world.serve_built("shop", 1).await;
    world.a_node_misses("shop", &image).await;
    let says = world.until_says("shop", &["is gone from its registry, so it is built again"]).await;
    assert!(is(&says, "Ready", "False", "ImageLost"), "{}", message(&says, "Ready"));
    // A failure is no verdict: the commit did build before.
    world.fail_build(failed(Stage::Build, "BuildFailed", "the base image is gone, too")).await;
    world.until_says("shop", &["the base image is gone, too", "Retrying"]).await;
    world.annotate("shop", "doce.dev/retry", "@1").await;
    world.finish_build(Built { differs: true, ..Built::default() }).await;
    let renewed = |object: Option<&Deployment>| image_of(object).is_some_and(|there| there != image);
    let deployment = world.until("shop", "the Deployment has the new image", renewed).await;
    world.start_pods("shop", &image_of(Some(&deployment)).unwrap(), 2).await;
    let serves = world.until_ready("shop", "True", "Serving").await;
    assert!(!message(&serves, "Ready").contains("gone"), "{}", message(&serves, "Ready"));
    let status = serves.status.unwrap();
    assert_eq!(status.version, Some(version), "it is the same version");
    assert_ne!(status.image, Some(image));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn what_serves_is_built_again_while_the_newest_commit_does_not_build() {
    let world = World::new("lost-old").await;
    let _operator = Operator::start(&world).await;
    let (version, image) = world.serve_built("shop", 1).await;
    world.apply("shop", by_hand(commit(2))).await;
    world.fail_build(failed(Stage::Build, "BuildFailed", "it does not compile")).await;
    world.until_ready("shop", "False", "BuildFailed").await;
    world.a_node_misses("shop", &image).await;
    let (job, _) = world.running_build().await;
    assert_eq!(job.annotations()["doce.dev/build-reason"], "ImageLost");
    assert!(serde_json::to_string(&job).unwrap().contains(&"01".repeat(20)), "it builds the recorded commit");
    world.finish_build(Built::default()).await;
    world.start_pods("shop", &image, 1).await; // The kubelet tries again.
    let both = |object: Option<&Deployment>| {
        object.and_then(|object| object.status.as_ref()?.available_replicas) == Some(2)
    };
    world.until("shop", "both pods run", both).await;
    let says = world.until_ready("shop", "False", "BuildFailed").await;
    assert!(
        message(&says, "Ready").contains(&format!("{version} keeps serving")),
        "{}",
        message(&says, "Ready")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn what_serves_is_built_again_before_a_pod_needs_it_once_the_sweep_misses_it() {
    let world = World::new("lost-swept").await;
    let options = Options { hears_of_lost_images: true, ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    let (first, image) = world.serve_built("shop", 1).await;
    world.apply("shop", by_hand(commit(2))).await;
    world.finish_build(Built::default()).await;
    let newer = |object: Option<&Deployment>| image_of(object).is_some_and(|there| there != image);
    let deployment = world.until("shop", "the Deployment has the new image", newer).await;
    world.start_pods("shop", &image_of(Some(&deployment)).unwrap(), 1).await;
    let serves = world.until_ready("shop", "True", "Serving").await;
    assert!(is(&serves, "RollbackAvailable", "True", "VersionKept"));

    // The registry is empty: both images are lost, and the pod runs.
    Upstream::start().await.look(&world).await;
    let (job, _) = world.running_build().await;
    assert_eq!(job.annotations()["doce.dev/build-reason"], "RebuiltAhead");
    let noted = |object: Option<&ProjectDeployment>| {
        object.is_some_and(|object| message(object, "Ready").contains("It is being built again"))
    };
    let says = world.until("shop", "the loss is noted", noted).await;
    assert!(is(&says, "Ready", "True", "Serving"), "{}", message(&says, "Ready"));
    assert!(is(&says, "RollbackAvailable", "False", "ImageLost"), "{}", message(&says, "RollbackAvailable"));
    assert!(message(&says, "RollbackAvailable").contains(&first));
    world.finish_build(Built::default()).await;
    let over = |object: Option<&ProjectDeployment>| {
        object.is_some_and(|object| {
            !message(object, "Ready").contains("gone") && is(object, "Built", "True", "ImageReady")
        })
    };
    world.until("shop", "it is over", over).await;
}

fn image_of(object: Option<&Deployment>) -> Option<String> {
    object?.spec.as_ref()?.template.spec.as_ref()?.containers.first()?.image.clone()
}
