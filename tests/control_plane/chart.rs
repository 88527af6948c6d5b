//! The chart with other values than its own, as real Helm installs it. kwok simulates the pods.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::World;

/// Releases of one test collide with those of another.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Runs `helm verb release`. The error is what Helm says.
fn helm(verb: &str, release: &str, namespace: &str, values: &Value) -> Result<String, String> {
    let values = values.as_object().unwrap().iter().flat_map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), |text| format!("\"{text}\""));
        ["--set-json".to_owned(), format!("{name}={text}")]
    });
    let output = Command::new("helm")
        .args([verb, release])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/doce-operator"))
        .args(["--namespace", namespace])
        .args(values)
        .output()
        .expect("doce-cluster provides helm");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn uninstall(release: &str, namespace: &str) {
    let status = Command::new("helm").args(["uninstall", release, "--namespace", namespace]).status();
    assert!(status.unwrap().success(), "helm uninstall {release}");
}

/// Says that the release owns the CRD, as Helm says it; `None`: no release does.
async fn owns_the_definition(world: &World, release: Option<&str>) {
    let namespace = release.map(|_| world.namespace.as_str());
    let annotations =
        json!({ "meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace });
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let definitions = Api::<CustomResourceDefinition>::all(world.client.clone());
    definitions.patch("projectdeployments.doce.dev", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_second_release_says_what_collides_and_what_to_set() {
    let _alone = ALONE.lock().await;
    let (world, elsewhere) = (World::new("release-a").await, World::new("release-b").await);
    let (first, second) = (world.namespace.as_str(), elsewhere.namespace.as_str());
    let builds = format!("{first}-builds");
    let values = json!({ "crds.install": false, "namespace": first, "build.namespace": builds });
    helm("install", first, first, &values).unwrap();
    owns_the_definition(&world, Some(first)).await;

    let name = format!("{first}-doce-operator");
    let same = json!({ "namespace": first, "build.namespace": builds, "fullnameOverride": name });
    let said = helm("install", second, second, &same).unwrap_err();
    for words in [
        format!(
            "CustomResourceDefinition projectdeployments.doce.dev belongs to the release {first} in namespace {first}: set \
             crds.install=false"
        ),
        format!(
            "ClusterRole {name}-view belongs to the release {first} in namespace {first}: set fullnameOverride"
        ),
        format!(
            "Namespace {builds} belongs to the release {first} in namespace {first}: set build.namespace"
        ),
        format!(
            "Deployment {name} in namespace {first} (release {first}) is an operator that watches namespace {first}, too: \
             set namespace in both"
        ),
        format!(
            "DaemonSet {name}-registry-proxy in namespace {first} (release {first}) listens on port 30050 of every node: \
             set registry.embedded.port"
        ),
        "To skip this check: set checkOtherReleases=false".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}\nis not in\n{said}");
    }
    assert!(elsewhere.list::<Deployment>().await.is_empty(), "nothing is installed");

    let apart = json!({ "crds.install": false, "registry.embedded.port": 30051, "build.namespace": format!("{second}-builds") });
    let said = helm("install", second, second, &apart).unwrap_err();
    assert!(said.contains("watches namespace") && !said.contains("DaemonSet"), "{said}");
    let mut apart = apart;
    apart["namespace"] = json!(second);
    helm("install", second, second, &apart).unwrap();
    assert_eq!(elsewhere.list::<DaemonSet>().await.len(), 1);

    helm("upgrade", first, first, &values).unwrap();
    owns_the_definition(&world, None).await;
    uninstall(first, first);
    uninstall(second, second);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn ports_of_nodes_that_another_release_gives_to_projects_are_rejected() {
    let _alone = ALONE.lock().await;
    let (world, elsewhere) = (World::new("ports-a").await, World::new("ports-b").await);
    let (first, second) = (world.namespace.as_str(), elsewhere.namespace.as_str());
    let values = |namespace: &str, port: u16, range: (u16, u16)| {
        json!({
            "crds.install": false, "namespace": namespace, "build.namespace": format!("{namespace}-builds"),
            "registry.embedded.port": port, "nodePorts.first": range.0, "nodePorts.last": range.1,
        })
    };
    helm("install", first, first, &values(first, 31000, (31001, 31999))).unwrap();
    let said = helm("install", second, second, &values(second, 31500, (32000, 32100))).unwrap_err();
    assert!(
        said.contains("gives the ports 31001 to 31999 to projects: set registry.embedded.port"),
        "{said}"
    );
    let said = helm("install", second, second, &values(second, 32200, (30100, 31000))).unwrap_err();
    assert!(said.contains("listens on port 31000 of every node, which is in the range nodePorts"), "{said}");
    uninstall(first, first);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_proxy_with_a_password_is_rejected_with_the_value() {
    let with = |url: &str| helm("template", "doce", "doce-system", &json!({ "build.httpsProxy": url }));
    let said = with("http://ada:planted@proxy.test:3128").unwrap_err();
    assert!(said.contains("build.httpsProxy has a user name or a password"), "{said}");
    assert!(!said.contains("planted"), "{said}");
    let text = with("http://proxy.test:3128").unwrap();
    assert!(text.contains("DOCE_HTTPS_PROXY"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_affinity_of_the_platform_owner_keeps_the_architectures_and_images_may_have_digests() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let term = json!({ "key": "pool", "operator": "Exists" });
    let terms = json!([{ "matchExpressions": [term] }]);
    let pinned = |name: &str| format!("{name}@{digest}");
    let values = json!({
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms": terms,
        "priorityClassName": "important",
        "build.buildkitImage": pinned("r.example/buildkit:1"),
        "registry.embedded.image": pinned("r.example/registry:3"),
        "image.digest": digest,
    });
    let text = helm("template", "doce", "doce-system", &values).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text);
    let all: Vec<Value> = documents.map(|document| Value::deserialize(document).unwrap()).collect();
    let operator = all
        .iter()
        .find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == "doce-doce-operator");
    let pod = &operator.unwrap()["spec"]["template"]["spec"];
    let nodes = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let image = json!({ "key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"] });
    assert_eq!(nodes["nodeSelectorTerms"], json!([{ "matchExpressions": [term, image] }]));
    assert_eq!(pod["priorityClassName"], "important");
    for image in [pinned("r.example/buildkit:1"), pinned("r.example/registry:3")] {
        assert!(text.contains(&image), "{image}");
    }
    assert_eq!(pod["containers"][0]["image"], pinned("ghcr.io/doce-dev/doce-operator"));
}
