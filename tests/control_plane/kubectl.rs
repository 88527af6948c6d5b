//! What a user sees with kubectl alone: apply, get, describe, explain, wait, delete.

use doce_operator::protocol::report::{Failed, Stage};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::events::v1::Event;
use serde_json::Value;

use crate::harness::builds::failed;
use crate::harness::{Operator, World, behaving, commit, prebuilt};

const MANIFEST: &str = "
apiVersion: doce.dev/v1alpha1
kind: ProjectDeployment
metadata: {name: shop}
spec:
  source: {image: {reference: 'ghcr.io/you/shop@sha256:0101010101010101010101010101010101010101010101010101010101010101'}}
  rollout: {minReadySeconds: 1}
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn apply_wait_get_and_delete_work_as_usual() {
    let world = World::new("kubectl").await;
    let _operator = Operator::start(&world).await;
    let apply = ["apply", "--validate=strict", "-f", "-"];
    assert_eq!(
        world.kubectl_reading(&apply, MANIFEST).await.well().trim(),
        "projectdeployment.doce.dev/shop created"
    );
    world.kubectl(&["wait", "--for=condition=Ready", "pd/shop", "--timeout=10m"]).await.well();
    assert_eq!(
        world.kubectl_reading(&apply, MANIFEST).await.well().trim(),
        "projectdeployment.doce.dev/shop unchanged"
    );
    world.serve("twin", prebuilt(2)).await;
    world.fail("broken", behaving(prebuilt(3), "crash"), "RolloutFailed").await;

    let table = world.kubectl(&["get", "pd"]).await.well();
    println!("{table}");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "VERSION", "PORT", "AGE"]);
    assert_eq!(rows[1][..3], ["broken", "False", "RolloutFailed"]);
    let shop = world.get::<doce_operator::crd::ProjectDeployment>("shop").await.status.unwrap();
    let (version, port) = (shop.version.unwrap(), shop.node_port.unwrap().to_string());
    assert_eq!(rows[2][..5], ["shop", "True", "Serving", version.as_str(), port.as_str()]);
    let wide = world.kubectl(&["get", "projectdeployments", "shop", "-o", "wide"]).await.well();
    println!("{wide}");
    let columns: Vec<&str> = wide.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns[6..], ["DESIRED", "PREVIOUS", "MESSAGE"]);
    assert!(wide.contains("serves"), "{wide}");
    for name in ["doce", "all"] {
        let listed = world.kubectl(&["get", name, "-o", "name"]).await.well();
        assert!(listed.contains("projectdeployment.doce.dev/shop"), "kubectl get {name}: {listed}");
    }

    for name in ["shop", "twin", "broken"] {
        assert!(world.kubectl(&["delete", "pd", name, "--timeout=10m"]).await.well().contains("deleted"));
    }
    world.until_list("no Deployment", |there: &[Deployment]| there.is_empty()).await;
    world.until_list("no Service", |there: &[Service]| there.is_empty()).await;
    world.until_list("no pods", |there: &[Pod]| there.is_empty()).await;
    world.until_list("no Job", |there: &[Job]| there.is_empty()).await;
    world.until_list("no ledger or records", |there: &[ControllerRevision]| there.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn describe_shows_what_happened_and_what_to_do() {
    let world = World::new("describe").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world.apply("shop", commit(2)).await;
    let failed = Failed {
        log: "src/main.ts(3,7): error TS2304: Cannot find name 'shopp'.".to_owned(),
        subject: Some("Sell more".to_owned()),
        ..failed(Stage::Build, "BuildFailed", "RUN npm run build ended with exit code 1")
    };
    world.fail_build(failed).await;
    world.until_ready("shop", "False", "BuildFailed").await;
    world.ask("shop", "rollback", "v00000000@1").await;
    let told =
        |events: &[Event], reason: &str| events.iter().any(|event| event.reason.as_deref() == Some(reason));
    world
        .until_list("all events exist", |events: &[Event]| {
            told(events, "RollbackRequested") && told(events, "BuildFailed")
        })
        .await;
    let story = world.kubectl(&["describe", "pd/shop"]).await.well();
    println!("{story}");
    let parts = [
        "RUN npm run build ended with exit code 1",
        "error TS2304: Cannot find name 'shopp'.",
        "kubectl annotate pd shop",
        "doce.dev/retry=",
        "Allocated",
        "Serving",
        "Warning  BuildFailed",
        "Warning  RollbackRequested",
        "matches no version, or more than one",
    ];
    for part in parts {
        assert!(story.contains(part), "describe does not say {part:?}:\n{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn explain_describes_every_field() {
    let world = World::new("explain").await;
    let source = world.kubectl(&["explain", "pd.spec.source"]).await.well();
    println!("{source}");
    for word in [
        "git\t",
        "archive\t",
        "oci\t",
        "configMap\t",
        "image\t",
        "exactly one of git, archive, oci",
        "A Git repository, reached over http",
    ] {
        assert!(source.contains(word), "{word:?} is not in\n{source}");
    }
    world.kubectl(&["explain", "pd.spec.rollout.onFailure"]).await.well();
    let crd = world.kubectl(&["get", "crd", "projectdeployments.doce.dev", "-o", "json"]).await.well();
    let crd: Value = serde_json::from_str(&crd).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut bare = vec![];
    for top in ["spec", "status"] {
        walk(&schema["properties"][top], top, &mut bare);
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

/// Fields below `schema` without a description.
fn walk(schema: &Value, path: &str, bare: &mut Vec<String>) {
    if schema["description"].as_str().unwrap_or_default().trim().is_empty() {
        bare.push(path.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(field, &format!("{path}.{name}"), bare);
    }
    for (name, field) in schema["items"]["properties"].as_object().into_iter().flatten() {
        walk(field, &format!("{path}[].{name}"), bare);
    }
}
