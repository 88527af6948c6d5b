//! Images that may not run: the kubelet's rejection, as a user reads it.

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::harness::{World, ready};
use crate::repository::{Repository, variable};

fn failed(status: &ProjectDeploymentStatus, reason: &str) -> bool {
    status.failure.as_ref().is_some_and(|failure| failure.reason == reason)
}

/// A docker.io image by digest. Nothing inspects such an image before the kubelet does.
async fn by_digest(name: &str, tag: &str) -> String {
    let url = format!("http://{}/v2/library/{name}/manifests/{tag}", variable("DOCE_MIRROR"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let answer = client.head(url).header("Accept", kind).send().await.unwrap().error_for_status().unwrap();
    let digest = answer.headers()["docker-content-digest"].to_str().unwrap();
    format!("docker.io/library/{name}@{digest}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_root_image_under_restricted_is_reported_and_never_runs() {
    let world = World::new("root").await;
    let source = json!({ "image": { "reference": by_digest("busybox", "1.37").await } });
    let run = json!({ "security": "Restricted", "command": ["sh", "-c", "exec httpd -f -p $PORT"] });
    world.deploy("shop", &json!({ "source": source, "run": run })).await;
    let status =
        world.until_status("shop", "root is rejected", |status| failed(status, "ImageRunsAsRoot")).await;
    assert_eq!(ready(&status).unwrap().0, "False");
    assert!(status.failure.unwrap().message.contains("spec.run.security"));
    world.never_ran().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn an_image_with_a_user_name_is_reported_differently_from_a_root_image() {
    let world = World::new("named-user").await;
    let repository = Repository::new("named-user");
    let dockerfile = "FROM docker.io/library/busybox:1.37\nRUN mkdir /www && echo named > /www/index.html\nUSER nobody\n\
        CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let commit = repository.commit("Named", &[("Dockerfile", dockerfile)]);
    let git = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
    world.deploy("built", &json!({ "source": git, "rollout": { "minReadySeconds": 1 } })).await;
    let image = world.until_ready("built").await.image.unwrap();

    let source = json!({ "image": { "reference": image } });
    world.deploy("shop", &json!({ "source": source, "run": { "security": "Restricted" } })).await;
    let status = world.until_status("shop", "it is named", |status| failed(status, "ImageUserUnknown")).await;
    assert!(status.failure.unwrap().message.contains("USER"));
}

impl World {
    /// Checks that no app container has ever started.
    async fn never_ran(&self) {
        let pods = self.list::<Pod>().await;
        let containers = pods.iter().flat_map(|pod| pod.status.iter());
        for container in containers.flat_map(|status| status.container_statuses.iter().flatten()) {
            let state = container.state.clone().unwrap_or_default();
            assert!(
                state.running.is_none()
                    && container.last_state.as_ref().is_none_or(|last| last.terminated.is_none())
            );
        }
    }
}
