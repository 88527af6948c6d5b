//! A second writer that changes labels or owners after every repair is named, and the repairs back off.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Kind, Operator, World, is, prebuilt};

/// The other writer.
const POLICE: &str = "label-police";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_label_that_another_writer_changes_again_and_again_is_named_with_that_writer() {
    let changed = json!({ "labels": { "app.kubernetes.io/name": "other" } });
    let said = contest::<ControllerRevision>("label-changed", changed).await;
    let words = "label-police changes or removes label app.kubernetes.io/name of ControllerRevision shop";
    assert!(said.starts_with(words), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_label_of_the_service_that_is_stripped_again_and_again_is_named() {
    let said = contest::<Service>("label-stripped", json!({ "labels": { names::UID: null } })).await;
    let words = "An admission policy, a webhook or another controller changes or removes label doce.dev/uid of Service shop";
    assert!(said.starts_with(words), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_label_of_the_network_policy_that_is_stripped_again_and_again_is_named() {
    let said = contest::<NetworkPolicy>("policy-stripped", json!({ "labels": { names::UID: null } })).await;
    assert!(said.contains("changes or removes label doce.dev/uid of NetworkPolicy shop"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_owner_that_is_stripped_again_and_again_is_named() {
    let said = contest::<Deployment>("owner-stripped", json!({ "ownerReferences": null })).await;
    assert!(said.contains("changes or removes the owner of Deployment shop"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_ledger_that_is_hidden_from_the_watch_again_and_again_is_named() {
    let hidden = json!({ "labels": { names::PROJECT: null } });
    let said = contest::<ControllerRevision>("ledger-hidden", hidden).await;
    assert!(said.contains("changes or removes label doce.dev/project of ControllerRevision shop"), "{said}");
}

/// Changes the metadata of a child after every repair until the status says so. Returns the message.
async fn contest<K: Kind>(test: &str, changed: Value) -> String {
    let world = World::new(test).await;
    let operator = Operator::start(&world).await;
    let mut spec = prebuilt(1);
    spec["expose"] = json!({ "allowFrom": [{ "cidr": "10.0.0.0/8" }] });
    world.serve("shop", spec).await;
    let right = world.get::<K>("shop").await;
    let is_right =
        |there: &K| there.labels() == right.labels() && there.owner_references() == right.owner_references();
    let police = async {
        loop {
            let repaired = |there: Option<&K>| there.is_some_and(is_right);
            world.until("shop", "it is repaired", repaired).await;
            let params = PatchParams { field_manager: Some(POLICE.to_owned()), ..PatchParams::default() };
            let patch = Patch::Merge(json!({ "metadata": changed }));
            world.api::<K>().patch("shop", &params, &patch).await.unwrap();
        }
    };
    let told = tokio::select! {
        () = police => unreachable!("it never ends"),
        told = world.until_ready("shop", "False", "Altered") => told,
    };
    assert!(is(&told, "Stalled", "True", "Altered"));
    assert!(is(&told, "Available", "True", "Serving"), "the app is not affected");
    let (said, resource) = (message(&told, "Ready"), format!("/{}/shop", K::plural(&())));
    let repairs = operator.journal.writes().into_iter().filter(|write| write.path.ends_with(&resource));
    assert!(repairs.count() < 16, "{:?}", operator.journal.writes());

    // The other writer is gone: the operator repairs the child after its pause, and takes back what it said.
    world.until("shop", "it is repaired", |there: Option<&K>| there.is_some_and(is_right)).await;
    let object: ProjectDeployment = world.until_ready("shop", "True", "Serving").await;
    assert!(!is(&object, "Stalled", "True", "Altered"));
    said
}
