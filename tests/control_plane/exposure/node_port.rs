//! A project gives its node port back, and takes one again.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Operator, Options, World, is, prebuilt};

fn without_port() -> Value {
    let mut spec = prebuilt(1);
    spec["expose"] = json!({ "nodePort": { "mode": "None" } });
    spec
}

/// A range of two ports that no other test uses.
async fn two_ports(world: &World, start: u16) -> Options {
    let first = world.take_ports(start, &["one", "two"]).await;
    world.delete::<Service>("one").await;
    world.delete::<Service>("two").await;
    Options { ports: (first, first + 1), ..Options::default() }
}

/// Uid, cluster IP, type and node port of the Service.
async fn address(world: &World) -> (Option<String>, Option<String>, Option<String>, Option<i32>) {
    let service = world.get::<Service>("shop").await;
    let (uid, spec) = (service.uid(), service.spec.unwrap());
    (uid, spec.cluster_ip, spec.type_, spec.ports.unwrap()[0].node_port)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_node_port_is_given_back_and_comes_back_without_new_pods_or_another_address() {
    let world = World::new("port-none").await;
    let operator = Operator::start_with(&world, two_ports(&world, 32700).await).await;
    let version = world.serve("shop", prebuilt(1)).await;
    let (before, pods) = (address(&world).await, world.pod_uids().await);
    assert!(before.3.is_some());

    world.apply("shop", without_port()).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert!(is(&object, "PortAllocated", "False", "NotRequested"), "{object:#?}");
    let said = message(&object, "PortAllocated");
    let again = format!("node port {} again", before.3.unwrap());
    assert!(said.contains("spec.expose.nodePort.mode is None") && said.contains(&again), "{said}");
    let status = object.status.unwrap();
    assert_eq!((status.node_port, status.url, status.version.as_ref()), (None, None, Some(&version)));
    let (uid, ip, ..) = before.clone();
    assert_eq!(address(&world).await, (uid, ip, Some("ClusterIP".to_owned()), None));
    let listed = world.kubectl(&["get", "pd", "shop"]).await.well();
    assert!(!listed.contains(&before.3.unwrap().to_string()), "{listed}");

    world.apply("shop", prebuilt(1)).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert!(is(&object, "PortAllocated", "True", "Allocated"));
    let status = object.status.unwrap();
    assert_eq!((status.node_port, status.version), (before.3, Some(version)));
    assert_eq!(address(&world).await, before);
    assert_eq!(world.pod_uids().await, pods, "no pod was replaced");

    operator.journal.at_rest().await;
    let warnings = world.list::<Event>().await.into_iter().filter(|event| {
        let regarding = event.regarding.as_ref().and_then(|object| object.kind.as_deref());
        regarding == Some("ProjectDeployment") && event.type_.as_deref() == Some("Warning")
    });
    assert_eq!(warnings.map(|event| event.note).collect::<Vec<_>>(), []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_node_port_that_was_taken_meanwhile_is_replaced_and_status_says_so() {
    let world = World::new("port-none-taken").await;
    let options = two_ports(&world, 32730).await;
    let operator = Operator::start_with(&world, options.clone()).await;
    world.serve("shop", prebuilt(1)).await;
    let former = u16::try_from(world.node_port("shop").await.unwrap()).unwrap();
    world.apply("shop", without_port()).await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.take_ports(former, &["other"]).await, former);

    world.apply("shop", prebuilt(1)).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    let port = object.status.as_ref().unwrap().node_port.unwrap();
    assert_eq!(port, i32::from(options.ports.0 + options.ports.1 - former), "the other one of the two");
    let words =
        format!("Node port {former}, which it had before spec.expose.nodePort.mode None, was not available");
    assert!(message(&object, "PortAllocated").contains(&words), "{}", message(&object, "PortAllocated"));

    world.delete::<Service>("other").await;
    operator.stop().await;
    let _operator = Operator::start_with(&world, options).await;
    world.delete::<Service>("shop").await;
    world.until_list("a Service", |there: &[Service]| there.len() == 1).await;
    assert_eq!(world.node_port("shop").await, Some(port), "the new port is the project's from now on");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_without_a_node_port_needs_none_and_an_edit_of_its_service_is_restored() {
    let world = World::new("port-never").await;
    let first = world.take_ports(32760, &["one"]).await;
    let full = Options { ports: (first, first), ..Options::default() };
    let _operator = Operator::start_with(&world, full).await;
    world.apply("shop", without_port()).await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert!(is(&object, "PortAllocated", "False", "NotRequested"), "{object:#?}");
    let (.., kind, port) = address(&world).await;
    assert_eq!((kind.as_deref(), port), (Some("ClusterIP"), None));
    world.patch::<Service>("shop", json!({ "spec": { "type": "NodePort" } })).await;
    world
        .until::<Service>("shop", "it has no node port again", |service: Option<&Service>| {
            let spec = service.and_then(|service| service.spec.as_ref());
            spec.is_some_and(|spec| spec.type_.as_deref() == Some("ClusterIP"))
        })
        .await;
    let ledger = world.get::<ControllerRevision>("shop").await;
    let ledger = &ledger.annotations()[doce_operator::desired::names::LEDGER];
    assert!(!ledger.contains("\"port\""), "{ledger}");
}
