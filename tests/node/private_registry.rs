//! Registries that need a login: the message while the Secret is wrong, and success once it is right.

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use serde_json::{Value, json};

use crate::authority::authority;
use crate::client::until_answer;
use crate::harness::{World, holds, is_at_fault};
use crate::repository::variable;
use crate::stored::Stored;
use crate::told::Planted;

/// The password of the user ada.
pub const PASSWORD: &str = "planted-7c21-password";
/// User and bcrypt hash of [`PASSWORD`], in the format of `htpasswd -B`.
const USERS: &str = "ada:$2b$05$Xm0KaFS8AoklurDGa3rM3ekv59hvSFYsofX.GhkyQUW6Rgu0wLUeK\n";

fn refused(status: &ProjectDeploymentStatus, words: &str) -> bool {
    is_at_fault(status, "RegistryDenied", words)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_missing_or_wrong_push_secret_is_reported_and_used_once_it_is_right() {
    let world = World::new("push-secret").await;
    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "pushed" } })).await;
    let spec = json!({
        "source": { "configMap": { "name": "pages" } },
        "build": { "output": { "pushSecretRef": { "name": "registry-push" } } },
        "rollout": { "minReadySeconds": 1 },
    });
    world.deploy("site", &spec).await;
    let missing = "Secret registry-push, referenced by spec.build.output.pushSecretRef, does not exist";
    world.until_status("site", "the missing Secret is reported", |status| refused(status, missing)).await;

    let opaque = json!({ "stringData": { "username": "ada", "password": "planted-w0rd" } });
    world.apply::<Secret>("registry-push", opaque).await;
    let wrong = "its type must be kubernetes.io/dockerconfigjson";
    let status = world.until_status("site", "the type is named", |status| refused(status, wrong)).await;
    assert!(!serde_json::to_string(&status).unwrap().contains("planted"), "{status:?}");

    // The build logs in to the embedded registry with its own token. A login for another registry does no harm.
    let config = r#"{"auths":{"registry.example.org":{"username":"ada","password":"planted-w0rd"}}}"#;
    world.api::<Secret>().delete("registry-push", &kube::api::DeleteParams::default()).await.unwrap();
    let right =
        json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": config } });
    world.apply::<Secret>("registry-push", right).await;
    world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    let told = world.told(&[Stored::embedded(&world, "push-secret/site").await]).await;
    told.assert_nothing_of(&Planted::words(&["planted-w0rd"]));
    told.assert_told("log of build of a pod of role build", "==> push");
}

impl World {
    /// Starts a registry in this namespace with TLS and a login. Returns its address.
    pub async fn registry_with_login(&self) -> String {
        let selector = json!({ "app": "registry" });
        let ports = json!([{ "port": 5000 }]);
        let spec = json!({ "spec": { "selector": selector, "ports": ports } });
        let service: Service = self.apply("registry", spec).await;
        let address = service.spec.unwrap().cluster_ip.unwrap();
        let (certificate, key) = authority().signed(&format!("IP:{address}"));
        let files = json!({ "tls.crt": certificate, "tls.key": key, "users": USERS });
        self.apply::<Secret>("registry", json!({ "stringData": files })).await;
        let setting = |name: &str, value: &str| json!({ "name": format!("REGISTRY_{name}"), "value": value });
        let container = json!({
            "name": "registry", "image": "docker.io/library/registry:3",
            "env": [
                setting("HTTP_TLS_CERTIFICATE", "/settings/tls.crt"), setting("HTTP_TLS_KEY", "/settings/tls.key"),
                setting("AUTH", "htpasswd"), setting("AUTH_HTPASSWD_REALM", "tests"),
                setting("AUTH_HTPASSWD_PATH", "/settings/users"), setting("STORAGE_DELETE_ENABLED", "true"),
            ],
            "readinessProbe": { "tcpSocket": { "port": 5000 }, "periodSeconds": 1 },
            "volumeMounts": [{ "name": "settings", "mountPath": "/settings" }],
        });
        let volumes = json!([{ "name": "settings", "secret": { "secretName": "registry" } }]);
        let pod = json!({ "metadata": { "labels": selector }, "spec": { "containers": [container], "volumes": volumes } });
        self.apply::<Pod>("registry", pod).await;
        let is_ready = |pod: Option<&Pod>| pod.is_some_and(crate::pods::is_ready);
        self.until("registry", "the registry answers", is_ready).await;
        trusted_by_the_node(&format!("{address}:5000"));
        format!("{address}:5000")
    }

    /// Creates a Secret with a login for the registry.
    pub async fn login(&self, name: &str, registry: &str, password: &str) {
        let config = json!({ "auths": { registry: { "username": "ada", "password": password } } });
        let data = json!({ ".dockerconfigjson": config.to_string() });
        let secret = json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": data });
        self.apply::<Secret>(name, secret).await;
    }
}

/// Makes the node's container runtime trust the certificate, as node administrators do.
fn trusted_by_the_node(registry: &str) {
    let directory = std::path::Path::new(&variable("DOCE_RUNTIME_REGISTRIES")).join(registry);
    std::fs::create_dir_all(&directory).unwrap();
    let ca = authority().certificate();
    let text = format!(
        "server = \"https://{registry}\"\n[host.\"https://{registry}\"]\nca = \"{}\"\n",
        ca.display()
    );
    std::fs::write(directory.join("hosts.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_registry_with_tls_and_login_works_without_leaking_its_secrets() {
    let world = World::new("login").await;
    let registry = world.registry_with_login().await;
    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "behind a login" } })).await;
    let spec = |run: Value| {
        let output =
            json!({ "repository": format!("{registry}/team/site"), "pushSecretRef": { "name": "push" } });
        json!({
            "source": { "configMap": { "name": "pages" } }, "build": { "output": output }, "run": run,
            "rollout": { "minReadySeconds": 1 },
        })
    };
    world.login("push", &registry, "planted-wrong-password").await;
    world.deploy("site", &spec(json!({}))).await;
    let denied = |status: &ProjectDeploymentStatus| {
        is_at_fault(status, "RegistryDenied", "spec.build.output.pushSecretRef")
    };
    let status = world.until_status("site", "the password is rejected", denied).await;
    assert!(!serde_json::to_string(&status).unwrap().contains("planted"), "{status:?}");

    // The push works now, but the node has no login yet.
    world.login("push", &registry, PASSWORD).await;
    let unpulled = |status: &ProjectDeploymentStatus| {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        ready.is_some_and(|ready| ready.message.contains("spec.run.imagePullSecrets"))
    };
    let status = world.until_status("site", "the node is rejected", unpulled).await;
    assert!(!serde_json::to_string(&status).unwrap().contains("planted"), "{status:?}");

    world.login("pull", &registry, PASSWORD).await;
    world.deploy("site", &spec(json!({ "imagePullSecrets": [{ "name": "pull" }] }))).await;
    let status = world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    assert!(status.image.unwrap().starts_with(&format!("{registry}/team/site@sha256:")));
    until_answer(&world.address, status.node_port.unwrap(), "behind a login").await;

    let told = world.told(&[Stored::private(&registry, "team/site")]).await;
    told.assert_nothing_of(&Planted::words(&[PASSWORD, "planted-wrong-password"]));
    told.assert_told("Job site-", "team/site");
    told.assert_told("log of build of a pod of role build", "==> push");
    told.assert_told("blobs/", "<== push");
}
