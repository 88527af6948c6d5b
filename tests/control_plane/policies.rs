//! Admission policies: a project can satisfy them, and the operator checks them before it builds.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Built, Operator, World, commit, is, prebuilt};

impl World {
    /// Requires the label `team` for Deployments of this namespace and their pods.
    async fn wants_a_team(&self) {
        let rules = json!([{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"] }]);
        let validation = json!({
            "expression": "has(object.metadata.labels) && 'team' in object.metadata.labels && 'team' in object.spec.template.metadata.labels",
            "message": "every Deployment and its pods need the label team",
        });
        self.enforce(&rules, &validation).await;
        // A policy takes effect a moment after its creation.
        let deployment = json!({ "metadata": { "name": "probe" }, "spec": {
            "replicas": 0, "selector": { "matchLabels": { "app": "probe" } },
            "template": { "metadata": { "labels": { "app": "probe" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
        }});
        let deployment: Deployment = serde_json::from_value(deployment).unwrap();
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        while self.api::<Deployment>().create(&dry, &deployment).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Creates a policy for this namespace.
    pub(crate) async fn enforce(&self, rules: &Value, validation: &Value) {
        let name = &self.namespace;
        let policy = json!({ "metadata": { "name": name }, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": rules },
            "matchConditions": [{ "name": "here", "expression": format!("object.metadata.namespace == '{name}'") }],
            "validations": [validation],
        }});
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy).unwrap();
        Api::all(self.client.clone()).create(&PostParams::default(), &policy).await.unwrap();
        let binding = json!({ "metadata": { "name": name }, "spec": { "policyName": name, "validationActions": ["Deny"] } });
        let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding).unwrap();
        Api::all(self.client.clone()).create(&PostParams::default(), &binding).await.unwrap();
    }

    /// Deletes it.
    pub(crate) async fn enforce_nothing(&self) {
        let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(self.client.clone());
        drop(bindings.delete(&self.namespace, &DeleteParams::default()).await.unwrap());
        let policies = Api::<ValidatingAdmissionPolicy>::all(self.client.clone());
        drop(policies.delete(&self.namespace, &DeleteParams::default()).await.unwrap());
    }

    async fn labelled(&self, team: Option<&str>) {
        let labels = json!({ "metadata": { "labels": { "team": team } } });
        self.patch::<ProjectDeployment>("shop", labels).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn policies_are_checked_before_the_build_and_a_project_label_satisfies_them() {
    let world = World::new("policy-first").await;
    world.wants_a_team().await;
    let operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    let stalled = world.until_ready("shop", "False", "InvalidSpec").await;
    let said = message(&stalled, "Ready");
    assert!(said.contains("every Deployment and its pods need the label team"), "{said}");
    assert!(is(&stalled, "Stalled", "True", "InvalidSpec"));
    assert_eq!(world.list::<Job>().await.len(), 0, "an image was built for nothing");
    world.labelled(Some("corner-shop")).await;
    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
    let deployment = world.get::<Deployment>("shop").await;
    assert_eq!(deployment.labels()["team"], "corner-shop");
    let pods = world.app_pods().await;
    assert_eq!(pods[0].labels()["team"], "corner-shop");
    assert_eq!(world.get::<Service>("shop").await.labels()["team"], "corner-shop");
    operator.journal.at_rest().await;
    world.enforce_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rejected_version_starts_soon_after_the_policy_is_deleted() {
    let world = World::new("policy-goes").await;
    world.wants_a_team().await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    world.until_ready("shop", "False", "InvalidSpec").await;
    world.enforce_nothing().await;
    let soon = std::time::Duration::from_secs(150);
    world
        .until_within(soon, "shop", "it serves", |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| is(object, "Ready", "True", "Serving"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_changed_label_reaches_the_deployment_at_once_and_pods_with_the_next_version() {
    let world = World::new("copied-labels").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    world.labelled(Some("blue")).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version;
    until_label(&world, Some("blue")).await;
    let pods = world.pod_uids().await;
    world.labelled(Some("red")).await;
    until_label(&world, Some("red")).await;
    world.labelled(None).await;
    until_label(&world, None).await;
    operator.journal.at_rest().await;
    assert_eq!(world.pod_uids().await, pods, "the pods were restarted");
    assert_eq!(world.list::<ReplicaSet>().await.len(), 1);
    assert_eq!(world.get::<ProjectDeployment>("shop").await.status.unwrap().version, first);
    world.labelled(Some("green")).await;
    let second = world.serve("shop", prebuilt(2)).await;
    assert_eq!(world.app_pods().await[0].labels()["team"], "green");
    // A rollback still matches the kept ReplicaSet with the labels of its pods.
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", first.as_deref().unwrap()).await;
    world.until_sets(2).await;
    world.annotate("shop", "doce.dev/rollback", "previous@2").await;
    world.until_serving("shop", &second).await;
    world.until_sets(2).await;
}

async fn until_label(world: &World, team: Option<&'static str>) {
    let what = format!("label team is {team:?}");
    world
        .until("shop", &what, move |there: Option<&Deployment>| {
            there.is_some_and(|there| there.labels().get("team").map(String::as_str) == team)
        })
        .await;
}
