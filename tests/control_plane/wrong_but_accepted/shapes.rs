//! Specs that only the API server can judge, child names in use, quotas.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Kind, Operator, World, condition, is, prebuilt};

impl World {
    async fn make<K: Kind>(&self, object: Value) {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_request_above_its_limit_stalls_with_the_api_servers_message() {
    let mut bad = prebuilt(2);
    bad["run"]["resources"] = json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "1" } });
    stays("above-limit", bad, &["Deployment", "must be less than or equal to cpu limit"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_invalid_variable_stalls_with_the_api_servers_message() {
    let mut bad = prebuilt(2);
    bad["run"]["env"] = json!([{ "name": "A=B", "value": "1" }]);
    stays("bad-variable", bad, &["Deployment", "env[", "A=B"]).await;
}

async fn stays(test: &str, bad: Value, words: &[&str]) {
    let world = World::new(test).await;
    let _operator = Operator::start(&world).await;
    let good = world.serve("shop", prebuilt(1)).await;
    let before = world.get::<Deployment>("shop").await;
    world.apply("shop", bad).await;
    let stalled = world.until_ready("shop", "False", "InvalidSpec").await;
    assert!(
        is(&stalled, "Stalled", "True", "InvalidSpec") && is(&stalled, "Available", "True", "Serving"),
        "{:#?}",
        stalled.status
    );
    let said = message(&stalled, "Stalled");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    assert_eq!(stalled.status.unwrap().version, Some(good));
    assert_eq!(world.get::<Deployment>("shop").await.spec, before.spec);
    world.serve("shop", prebuilt(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_child_name_in_use_is_rejected_and_the_other_object_stays_unchanged() {
    let world = World::new("name-taken").await;
    let _operator = Operator::start(&world).await;
    let pods = json!({ "metadata": { "labels": { "app": "other" } }, "spec": { "containers": [{ "name": "other", "image": "other" }] } });
    let spec = json!({ "replicas": 0, "selector": { "matchLabels": { "app": "other" } }, "template": pods });
    world.make::<Deployment>(json!({ "metadata": { "name": "shop" }, "spec": spec })).await;
    let before = world.get::<Deployment>("shop").await;
    world.apply("shop", prebuilt(1)).await;
    let taken = world.until_ready("shop", "False", "NameTaken").await;
    let said = message(&taken, "Stalled");
    assert!(
        said.contains("Deployment shop already exists and does not belong to this project (owner: none)")
            && said.contains("kubectl delete deployments shop"),
        "{said}"
    );
    assert_eq!(world.get::<Deployment>("shop").await.spec, before.spec);
    world.delete::<Deployment>("shop").await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_ledger_name_in_use_is_reported_and_retried_with_backoff() {
    let world = World::new("memory-taken").await;
    world
        .make::<ControllerRevision>(json!({ "metadata": { "name": "shop" }, "revision": 1, "data": {} }))
        .await;
    let operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let taken = world.until_ready("shop", "False", "NameTaken").await;
    assert!(
        message(&taken, "Stalled").contains("ControllerRevision shop already exists"),
        "{}",
        message(&taken, "Stalled")
    );
    let tried = operator.journal.writes().iter().filter(|write| write.method == "POST").count();
    assert!(tried <= 5, "{tried} attempts without backoff");
    assert!(world.list::<Deployment>().await.is_empty(), "nothing happens without a ledger");
    world.delete::<ControllerRevision>("shop").await;
    world.until_ready("shop", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_quota_that_forbids_pods_is_reported_while_the_version_starts() {
    let world = World::new("quota").await;
    world
        .make::<ResourceQuota>(json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } }))
        .await;
    world
        .until("none", "the quota is counted", |quota: Option<&ResourceQuota>| {
            quota
                .and_then(|quota| quota.status.as_ref())
                .is_some_and(|status| status.hard.is_some() && status.used.is_some())
        })
        .await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let named = world
        .until("shop", "the quota is reported", |object: Option<&doce_operator::crd::ProjectDeployment>| {
            object.is_some_and(|object| {
                condition(object, "Ready").is_some_and(|ready| ready.message.contains("exceeded quota: none"))
            })
        })
        .await;
    assert_eq!(condition(&named, "Ready").unwrap().status, "False");
}
