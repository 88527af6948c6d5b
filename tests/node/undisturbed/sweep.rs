//! The sweep of the embedded registry, run by its `CronJob`.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DeleteParams;
use serde_json::json;

use crate::administrator::kubectl;
use crate::harness::{World, holds};

impl World {
    async fn site(&self, name: &str) -> String {
        self.apply::<ConfigMap>(name, json!({ "data": { "index.html": name } })).await;
        let spec =
            json!({ "source": { "configMap": { "name": name } }, "rollout": { "minReadySeconds": 1 } });
        self.deploy(name, &spec).await;
        let serves = self.until_status(name, "it serves", |status| holds(status, "Ready")).await;
        let digest = serves.image.unwrap();
        format!("{}/{name}/manifests/{}", self.namespace, digest.split_once('@').unwrap().1)
    }
}

async fn status((registry, token): (&str, &str), path: &str) -> u16 {
    let kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{registry}/v2/{path}")).header("Accept", kinds);
    request.basic_auth("any", Some(token)).send().await.unwrap().status().as_u16()
}

async fn tags((registry, token): (&str, &str), repository: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{registry}/v2/{repository}/tags/list"));
    let response = request.basic_auth("any", Some(token)).send().await.unwrap();
    if response.status().as_u16() == 404 {
        return String::new();
    }
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    body["tags"].as_array().into_iter().flatten().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn the_sweep_deletes_the_images_of_a_deleted_project_only() {
    let world = World::undisturbed("sweep").await;
    let (registry, token) = (world.registry("registry").await, world.registry_token().await);
    let registry = (registry.as_str(), token.as_str());
    let (stays, goes) = (world.site("stays").await, world.site("goes").await);
    assert_eq!((status(registry, &stays).await, status(registry, &goes).await), (200, 200));
    let _ = world.api::<ProjectDeployment>().delete("goes", &DeleteParams::foreground()).await.unwrap();
    world.until_gone::<ProjectDeployment>("goes").await;
    for left in world.list::<ControllerRevision>().await {
        assert_eq!(left.metadata.labels.unwrap()["doce.dev/project"], "stays");
    }
    for left in world.list::<Job>().await {
        assert_eq!(left.metadata.labels.unwrap()["doce.dev/project"], "stays");
    }

    let system = "--namespace=doce-system";
    kubectl(&["create", "job", system, "--from=cronjob/doce-doce-operator-sweep", "sweep-by-hand"]).await;
    kubectl(&["wait", system, "--for=condition=complete", "--timeout=15m", "job/sweep-by-hand"]).await;
    assert_eq!(status(registry, &goes).await, 404);
    assert_eq!(tags(registry, &format!("{}/goes", world.namespace)).await, "");
    assert_eq!(status(registry, &stays).await, 200);
}
