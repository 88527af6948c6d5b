//! A child that changes between the read and the write: the write is rejected, and the operator decides again.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::PostParams;
use kube::client::ClientBuilder;
use serde_json::json;

use crate::harness::{Built, Operator, Options, World, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deployment_that_changed_since_it_was_read_is_read_again_before_the_write() {
    let world = World::new("changed-since").await;
    let operator = Operator::start(&world).await;
    let site = json!({ "metadata": { "name": "site" }, "data": { "index.html": "<h1>hello</h1>" } });
    let site: ConfigMap = serde_json::from_value(site).unwrap();
    world.api::<ConfigMap>().create(&PostParams::default(), &site).await.unwrap();
    let spec = json!({ "source": { "configMap": { "name": "site" } }, "rollout": { "minReadySeconds": 1 } });
    world.apply("shop", spec).await;
    world.finish_build(Built::default()).await;
    world.settled_as("True", "Serving", 1, 1).await;
    operator.stop().await;

    // Drift for the next operator, which first reads the ConfigMap after the Deployment.
    world.patch::<Deployment>("shop", json!({ "spec": { "replicas": 3 } })).await;
    let mut paused = None;
    let operator = Operator::start_through(&world, Options::default(), |config, journal| {
        paused = Some(journal.pause("/configmaps/site"));
        ClientBuilder::try_from(config).unwrap().with_layer(journal).build()
    })
    .await;
    let mut look = paused.unwrap();
    look.reached().await;
    world
        .patch::<Deployment>("shop", json!({ "metadata": { "annotations": { "example.org/by": "me" } } }))
        .await;
    // The watch of Deployments keeps the order: an operator that has deployed this one knows the change above.
    world.serve("canary", prebuilt(1)).await;
    look.release();
    world
        .until("shop", "the drift is gone", |object: Option<&Deployment>| {
            object.is_some_and(|object| object.spec.as_ref().and_then(|spec| spec.replicas) == Some(1))
        })
        .await;
    operator.journal.at_rest().await;
    let writes = operator.journal.writes();
    let of_shop = writes.iter().filter(|write| write.path.ends_with("/deployments/shop"));
    let statuses: Vec<u16> = of_shop.map(|write| write.status).collect();
    assert_eq!(statuses, [409, 200], "rejected, then written with the new state");
    let shop: Deployment = world.get("shop").await;
    assert_eq!(shop.annotations().get("example.org/by").map(String::as_str), Some("me"));
}
