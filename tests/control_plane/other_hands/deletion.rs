//! A deletion leaves nothing, and a recreated project waits until its predecessor is gone.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{Kind, Operator, World, commit, condition, is, prebuilt};

const FINALIZER: &str = "example.org/wait";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_recreated_project_waits_for_the_deployment_of_its_predecessor() {
    waits_for::<Deployment>("predecessor-deployment").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_recreated_project_waits_for_the_service_of_its_predecessor() {
    waits_for::<Service>("predecessor-service").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_recreated_project_waits_for_the_ledger_of_its_predecessor() {
    waits_for::<ControllerRevision>("predecessor-ledger").await;
}

async fn waits_for<K: Kind>(test: &str) {
    let world = World::new(test).await;
    let operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    world.until_ready("shop", "True", "Serving").await;
    world.patch::<K>("shop", json!({ "metadata": { "finalizers": [FINALIZER] } })).await;
    let old = world.get::<ProjectDeployment>("shop").await.uid();
    world.delete::<ProjectDeployment>("shop").await;
    world
        .until::<K>("shop", "it is being deleted", |there: Option<&K>| {
            there.is_some_and(|there| there.meta().deletion_timestamp.is_some())
        })
        .await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();

    world.apply("shop", prebuilt(2)).await;
    let object = world.until_ready("shop", "False", "Predecessor").await;
    assert_ne!(object.uid(), old);
    assert!(is(&object, "Reconciling", "True", "Predecessor") && condition(&object, "Stalled").is_none());
    let message = condition(&object, "Ready").unwrap().message;
    assert!(message.contains(&format!("{}/shop", K::kind(&()))), "{message}");
    operator.journal.at_rest().await;
    let writes = operator.journal.writes().split_off(before);
    assert!(writes.iter().all(|write| write.path.ends_with("/projectdeployments/shop/status")), "{writes:?}");

    world.patch::<K>("shop", json!({ "metadata": { "finalizers": null } })).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(object.status.unwrap().history.len(), 1);
    assert_eq!(world.get::<K>("shop").await.owner_references()[0].uid, object.metadata.uid.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_predecessor_that_a_finalizer_keeps_stalls_the_project_until_it_is_gone() {
    let world = World::new("predecessor-stays").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world.patch::<Service>("shop", json!({ "metadata": { "finalizers": [FINALIZER] } })).await;
    world.delete::<ProjectDeployment>("shop").await;
    world.apply("shop", prebuilt(2)).await;
    let stalled = |object: Option<&ProjectDeployment>| {
        object.is_some_and(|object| is(object, "Stalled", "True", "Predecessor"))
    };
    // Two minutes after Kubernetes began to delete the Service, without an event.
    let object = world.until("shop", "it says what keeps the Service", stalled).await;
    let began = world.get::<Service>("shop").await.metadata.deletion_timestamp.unwrap().0;
    let said = condition(&object, "Stalled").unwrap();
    assert!(said.last_transition_time.0.duration_since(began).as_secs() >= 120, "{said:?} {began}");
    let named = format!("Service shop of a deleted project of the same name is being deleted since {began}");
    assert!(said.message.contains(&named), "{}", said.message);
    let way_out = format!("kubectl patch services shop -n {} --type merge -p", world.namespace);
    assert!(said.message.contains(FINALIZER) && said.message.contains(&way_out), "{}", said.message);

    world.patch::<Service>("shop", json!({ "metadata": { "finalizers": null } })).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert!(condition(&object, "Stalled").is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_recreated_at_once_serves_and_inherits_nothing() {
    let world = World::new("made-again").await;
    let _operator = Operator::start(&world).await;
    for n in [1, 2, 1] {
        world.apply("shop", prebuilt(n)).await;
        let object = world.until_ready("shop", "True", "Serving").await;
        world.delete::<ProjectDeployment>("shop").await;
        let next = world.apply("shop", prebuilt(n)).await;
        assert_ne!(next.uid(), object.uid());
        let object = world.until_ready("shop", "True", "Serving").await;
        assert_eq!(object.uid(), next.uid());
        for revision in world.children::<ControllerRevision>("shop").await {
            assert_eq!(Some(&revision.owner_references()[0].uid), object.metadata.uid.as_ref());
        }
        world.delete::<ProjectDeployment>("shop").await;
    }
    world.until_nothing_of("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn deleting_during_a_build_leaves_nothing() {
    let world = World::new("delete-building").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    world.running_build().await;
    world.until_ready("shop", "False", "Building").await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
    operator.journal.at_rest().await;
    let writes = operator.journal.writes().split_off(before);
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_foreground_deletion_needs_no_write_and_leaves_nothing() {
    let world = World::new("delete-foreground").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    world.until_ready("shop", "True", "Serving").await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    let _ = world.api::<ProjectDeployment>().delete("shop", &DeleteParams::foreground()).await.unwrap();
    world.until_nothing_of("shop").await;
    operator.journal.at_rest().await;
    let writes = operator.journal.writes().split_off(before);
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deletion_needs_no_write_with_or_without_a_running_operator() {
    let world = World::new("delete").await;
    let operator = Operator::start(&world).await;
    for name in ["shop", "blog"] {
        world.apply(name, prebuilt(1)).await;
        world.until_ready(name, "True", "Serving").await;
    }
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
    let writes = operator.journal.writes().split_off(before);
    assert!(writes.is_empty(), "{writes:?}");
    drop(operator);
    world.delete::<ProjectDeployment>("blog").await;
    world.until_nothing_of("blog").await;
    let operator = Operator::start(&world).await;
    world.with_canary().await;
    let writes = operator.journal.writes();
    assert!(writes.iter().all(|write| !write.path.contains("blog")), "{writes:?}");
    world.until_nothing_of("blog").await;
}
