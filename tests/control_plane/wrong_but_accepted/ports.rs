//! Unavailable node ports: the range is full, another Service uses the port, or the API server rejects it.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Operator, Options, World, condition, is, prebuilt};

fn fixed(port: u16) -> Value {
    let mut spec = prebuilt(1);
    spec["expose"] = json!({ "nodePort": { "mode": "Fixed", "port": port } });
    spec
}

/// The range of projects has the ports that the tests take.
fn up_to_the_last() -> Options {
    Options { ports: (30100, 32767), ..Options::default() }
}

/// Waits until the app runs and only its port is missing.
async fn runs_without_port(world: &World, reason: &'static str) -> ProjectDeployment {
    world
        .until("shop", &format!("it runs with reason {reason}"), move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let state = object
                    .status
                    .as_ref()
                    .and_then(|status| status.history.first())
                    .map(|entry| entry.state.clone());
                let available =
                    condition(object, "Available").is_some_and(|available| available.status == "True");
                is(object, "Ready", "False", reason) && available && state.as_deref() == Some("Serving")
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_full_port_range_is_reported_and_a_freed_port_is_used() {
    let world = World::new("ports-full").await;
    let first = world.take_ports(32688, &["one", "two"]).await;
    let operator =
        Operator::start_with(&world, Options { ports: (first, first + 1), ..Options::default() }).await;
    world.apply("shop", prebuilt(1)).await;
    let full = runs_without_port(&world, "PortsExhausted").await;
    assert!(is(&full, "PortAllocated", "False", "PortsExhausted"));
    assert_eq!(full.status.unwrap().node_port, None);
    operator.journal.at_rest().await; // The test observes a write before its answer is recorded.
    let written = status_writes(&operator);
    world.delete::<Service>("two").await;
    let freed = world.until_ready("shop", "True", "Serving").await;
    assert!(is(&freed, "PortAllocated", "True", "Allocated"));
    assert_eq!(freed.status.unwrap().node_port, Some(i32::from(first + 1)));
    assert!(status_writes(&operator) <= written + 1, "a retry writes no status");
}

/// Accepted status writes. A conflict wrote nothing.
fn status_writes(operator: &Operator) -> usize {
    let writes = operator.journal.writes();
    writes.iter().filter(|write| write.path.ends_with("/status") && write.status < 300).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_taken_fixed_port_names_its_holder_and_is_assigned_once_free() {
    let world = World::new("port-taken").await;
    let port = world.take_ports(32718, &["other-shop"]).await;
    let _operator = Operator::start_with(&world, up_to_the_last()).await;
    world.apply("shop", fixed(port)).await;
    let taken = runs_without_port(&world, "PortUnavailable").await;
    let said = message(&taken, "PortAllocated");
    assert!(said.contains(&format!("{port} is used by Service other-shop. ")), "{said}");
    assert!(said.contains("spec.expose.nodePort"), "{said}");
    world.delete::<Service>("other-shop").await;
    let given = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(given.status.unwrap().node_port, Some(i32::from(port)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_port_that_is_taken_in_another_namespace_does_not_tell_by_what() {
    let (world, other) = (World::new("port-theirs").await, World::new("port-hidden").await);
    let port = other.take_ports(32755, &["secret-shop"]).await;
    let _operator = Operator::start_with(&world, up_to_the_last()).await;
    world.apply("shop", fixed(port)).await;
    let taken = runs_without_port(&world, "PortUnavailable").await;
    let said = message(&taken, "PortAllocated");
    assert_eq!(
        said,
        format!("Node port {port} is used in another namespace. Set another spec.expose.nodePort")
    );
    other.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_change_to_a_taken_port_keeps_the_working_port() {
    let world = World::new("port-change").await;
    let taken = world.take_ports(32743, &["other-shop"]).await;
    let _operator = Operator::start_with(&world, up_to_the_last()).await;
    world.serve("shop", prebuilt(1)).await;
    let port = |service: &Service| service.spec.clone().unwrap().ports.unwrap()[0].node_port;
    let before = port(&world.get("shop").await);
    world.apply("shop", fixed(taken)).await;
    runs_without_port(&world, "PortUnavailable").await;
    assert_eq!(port(&world.get("shop").await), before);
    world.apply("shop", prebuilt(1)).await;
    let back = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(back.status.unwrap().node_port, before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_fixed_port_outside_the_range_of_projects_is_rejected_with_the_range() {
    let world = World::new("port-range").await;
    let _operator = Operator::start(&world).await;
    // 30050 is the port from which nodes pull images.
    for port in [30050, 8080] {
        world.apply("shop", fixed(port)).await;
        let out = runs_without_port(&world, "PortUnavailable").await;
        let said = message(&out, "PortAllocated");
        let words = format!("Node port {port} is not between 30100 and 32667");
        assert!(said.contains(&words) && said.contains("spec.expose.nodePort.port"), "{said}");
        assert!(world.list::<Service>().await.is_empty(), "the API server would grant {port}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_range_that_the_api_server_does_not_have_is_reported() {
    let world = World::new("port-api-range").await;
    let options = Options { ports: (8000, 8100), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    world.apply("shop", fixed(8080)).await;
    let out = runs_without_port(&world, "PortUnavailable").await;
    let said = message(&out, "PortAllocated");
    assert!(
        said.contains("Node port 8080 is not in the API server's range") && said.contains("30000-32767"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_range_of_projects_outside_of_the_api_servers_range_is_not_called_exhausted() {
    let world = World::new("ports-outside").await;
    let options = Options { ports: (8000, 8100), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    world.apply("shop", prebuilt(1)).await;
    let words = &["between 8000 and 8100", "30000-32767", "Set nodePorts of the chart"];
    let out = world.until_says("shop", words).await;
    assert!(is(&out, "PortAllocated", "False", "PortUnavailable"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_only_free_port_of_a_large_range_is_found() {
    let world = World::new("ports-crowded").await;
    // The API server refuses all but the last, and no other test uses that one. One pass does not try so many.
    let options = Options { ports: (29_000, 30_000), ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    world.apply("shop", prebuilt(1)).await;
    let found = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(found.status.unwrap().node_port, Some(30_000));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_quota_of_node_ports_is_not_called_a_full_range() {
    let world = World::new("ports-quota").await;
    let quota = json!({ "metadata": { "name": "ports" }, "spec": { "hard": { "services.nodeports": "0" } } });
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    world
        .until("ports", "the quota counts", |quota: Option<&ResourceQuota>| {
            quota.and_then(|quota| quota.status.as_ref()?.used.as_ref()).is_some()
        })
        .await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", prebuilt(1)).await;
    let over = runs_without_port(&world, "InvalidSpec").await;
    assert!(is(&over, "PortAllocated", "False", "InvalidSpec"));
    let said = message(&over, "PortAllocated");
    assert!(said.contains("exceeded quota: ports") && said.contains("services.nodeports"), "{said}");
    world.delete::<ResourceQuota>("ports").await;
    world.until_ready("shop", "True", "Serving").await;
}
