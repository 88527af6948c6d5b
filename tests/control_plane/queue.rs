//! The build queue: suspended Jobs, released oldest first within the limit.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::harness::namespaced::PAUSE;
use crate::harness::reading::message;
use crate::harness::{Built, Operator, Options, World, commit, is};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_beyond_the_limit_is_queued_and_reported() {
    let world = World::new("queue").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    world.apply("first", commit(1)).await;
    let (runs, _) = world.running_build().await;
    world.apply("second", commit(2)).await;
    let queued = world.until_ready("second", "False", "Queued").await;
    let waits = queued.status.unwrap().build.unwrap().id;
    let suspended = |job: &Job| job.spec.as_ref().and_then(|spec| spec.suspend);
    assert_eq!(suspended(&world.get::<Job>(&waits).await), Some(true));
    assert_eq!(suspended(&world.get::<Job>(&runs.name_any()).await), Some(false));

    assert_eq!(world.finish_build(Built::default()).await, runs.name_any());
    world.until_ready("second", "False", "Building").await;
    assert_eq!(world.finish_build(Built::default()).await, waits);
    world.until_ready("first", "True", "Serving").await;
    world.until_ready("second", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn queued_builds_show_their_position_and_move_up() {
    let world = World::new("places").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    world.apply("first", commit(1)).await;
    world.running_build().await;
    let at = |place: Option<i32>, says: &'static str| {
        move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let build = object.status.clone().unwrap_or_default().build.unwrap_or_default();
                build.position == place && message(object, "Ready").contains(says)
            })
        }
    };
    world.apply("second", commit(2)).await;
    world.until("second", "it is next", at(Some(1), "is 1st in the queue")).await;
    world.apply("third", commit(3)).await;
    world.until("third", "one is before it", at(Some(2), "is 2nd in the queue")).await;

    world.finish_build(Built::default()).await;
    world.until("second", "it has left the queue", at(None, "is being built")).await;
    world.until("third", "it has moved up", at(Some(1), "is 1st in the queue")).await;
    world.finish_build(Built::default()).await;
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rejected_start_is_reported_and_the_queue_goes_on() {
    let world = World::new("rejected-start").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    let blocked = world.with_a_queue().await;
    let rules = json!([{ "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["jobs"] }]);
    let validation = json!({
        "expression": "object.metadata.labels['doce.dev/project'] != 'blocked' || object.spec.suspend",
        "message": "no build of blocked may start",
    });
    world.enforce(&rules, &validation).await;
    world.until_start_is_rejected(&blocked).await;

    world.finish_build(Built::default()).await;
    world.until_ready("third", "False", "Building").await;
    let told = world.until_says("blocked", &["rejects the start", "no build of blocked may start"]).await;
    assert!(is(&told, "Reconciling", "True", "PodForbidden"), "it is tried again");
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;

    world.enforce_nothing().await;
    world.finish_build(Built::default()).await;
    world.until_ready("blocked", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_webhook_that_does_not_answer_is_reported_on_its_project_and_the_queue_goes_on() {
    let world = World::new("webhook-down").await;
    let _operator = Operator::start_with(&world, Options { build_limit: 1, ..Options::default() }).await;
    let blocked = world.with_a_queue().await;
    let webhooks = Api::<ValidatingWebhookConfiguration>::all(world.client.clone());
    let webhook = json!({ "metadata": { "name": world.namespace }, "webhooks": [{
        "name": "down.example.com",
        "clientConfig": { "url": "https://127.0.0.1:1/" },
        "rules": [{ "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["jobs"] }],
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": world.namespace } },
        "objectSelector": { "matchLabels": { "doce.dev/project": "blocked" } },
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }]});
    webhooks.create(&PostParams::default(), &serde_json::from_value(webhook).unwrap()).await.unwrap();
    world.until_start_is_rejected(&blocked).await;

    world.finish_build(Built::default()).await;
    world.until_ready("third", "False", "Building").await;
    world.until_says("blocked", &["rejects the start", "failed calling webhook"]).await;
    webhooks.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;
    world.finish_build(Built::default()).await;
    world.until_ready("blocked", "True", "Serving").await;
}

impl World {
    /// The build of `first` runs, and those of `blocked` and `third` wait. Returns the Job of `blocked`.
    async fn with_a_queue(&self) -> String {
        self.apply("first", commit(1)).await;
        self.running_build().await;
        self.apply("blocked", commit(2)).await;
        let blocked = self.until_ready("blocked", "False", "Queued").await.status.unwrap().build.unwrap().id;
        self.apply("third", commit(3)).await;
        self.until_ready("third", "False", "Queued").await;
        blocked
    }

    /// Waits until the API server rejects the start of this Job: a policy or a webhook takes effect a moment after its
    /// creation.
    async fn until_start_is_rejected(&self, job: &str) {
        let start = json!({ "spec": { "suspend": false } });
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        while self.api::<Job>().patch(job, &dry, &Patch::Merge(&start)).await.is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
