//! Registries that want a login: what is said while the Secret is not right, and that putting it right is enough.

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

use crate::harness::{World, holds, is_at_fault};

fn refused(status: &ProjectDeploymentStatus, words: &str) -> bool {
    is_at_fault(status, "RegistryUnavailable", words)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_secret_to_push_with_is_named_while_it_is_missing_or_wrong_and_used_once_it_is_right() {
    let world = World::new("push-secret").await;
    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "pushed" } })).await;
    let spec = json!({
        "source": { "configMap": { "name": "pages" } },
        "build": { "output": { "pushSecretRef": { "name": "registry-push" } } },
        "rollout": { "minReadySeconds": 1 },
    });
    world.deploy("site", &spec).await;
    let missing = "Secret registry-push, which spec.build.output.pushSecretRef names, does not exist";
    world.until_status("site", "the Secret is missed", |status| refused(status, missing)).await;

    let opaque = json!({ "stringData": { "username": "ada", "password": "planted-w0rd" } });
    world.apply::<Secret>("registry-push", opaque).await;
    let wrong = "its type must be kubernetes.io/dockerconfigjson";
    let status = world.until_status("site", "the type is named", |status| refused(status, wrong)).await;
    assert!(!serde_json::to_string(&status).unwrap().contains("planted"), "{status:?}");

    // The platform's own registry asks nobody for a login; one for another registry does no harm.
    let config = r#"{"auths":{"registry.example.org":{"username":"ada","password":"planted-w0rd"}}}"#;
    world.api::<Secret>().delete("registry-push", &kube::api::DeleteParams::default()).await.unwrap();
    let right =
        json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": config } });
    world.apply::<Secret>("registry-push", right).await;
    world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
}
