//! Writes that the API server changes. A normalized form is not drift. Another value is reported and not written
//! repeatedly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use http::{Method, Request};
use k8s_openapi::api::apps::v1::Deployment;
use kube::client::{Body, ClientBuilder};
use serde_json::json;
use tower::util::MapRequestLayer;

use crate::harness::reading::message;
use crate::harness::{Operator, Options, World, is, prebuilt};

/// Writes of the Deployment so far.
fn rolls(operator: &Operator) -> usize {
    let writes = operator.journal.writes();
    writes.iter().filter(|write| write.path.ends_with("/deployments/shop")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn normalized_quantities_are_written_once() {
    let world = World::new("other-words").await;
    let operator = Operator::start(&world).await;
    let mut spec = prebuilt(1);
    let of = json!({ "resourceFieldRef": { "containerName": "app", "resource": "limits.cpu", "divisor": "1000m" } });
    spec["run"] = json!({
        "env": [{ "name": "CPUS", "valueFrom": of }],
        "resources": { "requests": { "cpu": "1.5m", "memory": "0.1Gi" }, "limits": { "cpu": "1000m" } },
    });
    world.apply("shop", spec).await;
    world.settled_as("True", "Serving", 1, 0).await;
    let stored = serde_json::to_value(world.get::<Deployment>("shop").await).unwrap();
    let app = &stored["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(app["resources"]["requests"]["cpu"], "2m");
    assert_eq!(app["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"], "1");
    operator.journal.at_rest().await;
    assert_eq!(rolls(&operator), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_policy_that_rewrites_images_is_reported_and_costs_one_write_per_pass() {
    let world = World::new("rewritten").await;
    // The test rewrites the request on its way, like an admission policy at the end of the way.
    let rewrites = Arc::new(AtomicBool::new(true));
    let policy = rewrites.clone();
    let rewritten = move |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        let concerns = parts.method == Method::PATCH && parts.uri.path().ends_with("/deployments/shop");
        if !concerns || !policy.load(Ordering::Relaxed) {
            return Request::from_parts(parts, body);
        }
        let sent = body.collect_bytes().now_or_never().expect("the body is in memory").unwrap();
        let text = String::from_utf8(sent.to_vec()).unwrap();
        Request::from_parts(parts, Body::from(text.replace("registry.test/", "mirror.test/").into_bytes()))
    };
    let operator = Operator::start_through(&world, Options::default(), |config, journal| {
        let layer = MapRequestLayer::new(rewritten);
        ClientBuilder::try_from(config).unwrap().with_layer(&layer).with_layer(journal).build()
    })
    .await;
    world.apply("shop", prebuilt(1)).await;
    let told = world.until_ready("shop", "False", "Altered").await;
    assert!(is(&told, "Stalled", "True", "Altered"));
    let named = "spec.template.spec.containers[app].image of Deployment shop";
    assert!(message(&told, "Ready").contains(named), "{}", message(&told, "Ready"));
    world
        .until("shop", "its pods serve", |object: Option<&_>| {
            object.is_some_and(|object| is(object, "Available", "True", "Serving"))
        })
        .await;
    assert!(rolls(&operator) < 32, "{} writes of the Deployment", rolls(&operator));
    rewrites.store(false, Ordering::Relaxed);
    world.annotate("shop", "example.org/note", "skips a longer backoff").await;
    world.until_ready("shop", "True", "Serving").await;
    world
        .until::<Deployment>("shop", "its image matches the record", |there: Option<&Deployment>| {
            there.is_some_and(|there| !serde_json::to_string(there).unwrap().contains("mirror.test/"))
        })
        .await;
}
