//! `spec.expose.allowFrom`: a NetworkPolicy that exists before the first pod, follows the spec, and is never that of
//! another owner.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::reading::message;
use crate::harness::{Operator, World, is, prebuilt};

fn open_to(sources: &Value) -> Value {
    let mut spec = prebuilt(1);
    spec["expose"] = json!({ "allowFrom": sources });
    spec
}

fn rules(policy: &NetworkPolicy) -> Value {
    serde_json::to_value(&policy.spec).unwrap()
}

fn from(sources: &Value) -> Value {
    let selector = json!({ "matchLabels": { names::PROJECT: "shop", names::ROLE: "app" } });
    let rule = json!({ "from": sources, "ports": [{ "port": "http", "protocol": "TCP" }] });
    json!({ "podSelector": selector, "policyTypes": ["Ingress"], "ingress": [rule] })
}

/// Waits until the policy has these rules.
async fn until_rules(world: &World, expected: Value) {
    world
        .until::<NetworkPolicy>("shop", "it has its rules", move |policy: Option<&NetworkPolicy>| {
            policy.is_some_and(|policy| rules(policy) == expected)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_network_policy_exists_before_the_first_pod_and_goes_with_the_field_and_the_project() {
    let world = World::new("allow-from").await;
    let operator = Operator::start(&world).await;
    let sources = json!([{ "cidr": "203.0.113.0/24" }, { "cidr": "2001:db8::/32" }, { "namespace": "web" }]);
    let version = world.serve("shop", open_to(&sources)).await;
    let pods = world.pod_uids().await;
    let named = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "web" } } });
    let block = |cidr: &str| json!({ "ipBlock": { "cidr": cidr } });
    let policy = world.get::<NetworkPolicy>("shop").await;
    assert_eq!(rules(&policy), from(&json!([block("203.0.113.0/24"), block("2001:db8::/32"), named])));
    assert_eq!(policy.owner_references()[0].kind, "ProjectDeployment");
    operator.journal.at_rest().await;
    let writes = operator.journal.writes();
    let first = |part: &str| writes.iter().position(|write| write.path.contains(part)).unwrap();
    assert!(first("/networkpolicies/") < first("/deployments/"), "{writes:#?}");

    world.apply("shop", open_to(&json!([{ "cidr": "10.0.0.0/8" }]))).await;
    until_rules(&world, from(&json!([block("10.0.0.0/8")]))).await;
    world.apply("shop", open_to(&json!([]))).await;
    let none = json!({ "podSelector": from(&json!([]))["podSelector"], "policyTypes": ["Ingress"] });
    until_rules(&world, none).await;

    world.apply("shop", prebuilt(1)).await;
    world.until_gone::<NetworkPolicy>("shop").await;
    let object = world.until_ready("shop", "True", "Serving").await;
    assert_eq!(object.status.unwrap().version, Some(version));
    assert_eq!(world.pod_uids().await, pods, "no pod was replaced");

    world.apply("shop", open_to(&json!([{ "namespace": "web" }]))).await;
    until_rules(&world, from(&json!([named]))).await;
    world.delete::<ProjectDeployment>("shop").await;
    world.until_nothing_of("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_or_deleted_network_policy_is_restored() {
    let world = World::new("allow-from-edited").await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", open_to(&json!([]))).await;
    let before = rules(&world.get::<NetworkPolicy>("shop").await);
    for edit in [
        json!({ "spec": { "ingress": [{}] } }),
        json!({ "spec": { "podSelector": { "matchLabels": { "app": "other" } } } }),
        json!({ "spec": { "policyTypes": ["Ingress", "Egress"] } }),
        json!({ "spec": { "policyTypes": ["Ingress", "Egress"], "egress": [{}] } }),
    ] {
        let edited = world.patch::<NetworkPolicy>("shop", edit.clone()).await;
        assert_ne!(rules(&edited), before, "{edit} changes nothing");
        until_rules(&world, before.clone()).await;
    }
    let uid = world.get::<NetworkPolicy>("shop").await.uid();
    world.delete::<NetworkPolicy>("shop").await;
    world
        .until::<NetworkPolicy>("shop", "it exists again", move |policy: Option<&NetworkPolicy>| {
            policy.is_some_and(|policy| policy.uid() != uid)
        })
        .await;
    until_rules(&world, before.clone()).await;
    let labels = json!({ "metadata": { "labels": { names::PROJECT: null }, "ownerReferences": null } });
    world.patch::<NetworkPolicy>("shop", labels).await;
    world
        .until::<NetworkPolicy>("shop", "it is the project's again", |policy: Option<&NetworkPolicy>| {
            policy.is_some_and(|policy| {
                policy.labels().contains_key(names::PROJECT) && !policy.owner_references().is_empty()
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_network_policy_of_another_owner_stays_and_no_pod_starts_until_it_is_gone() {
    let world = World::new("allow-from-taken").await;
    let stranger = json!({ "metadata": { "name": "shop" }, "spec": { "podSelector": { "matchLabels": { "app": "other" } } } });
    let stranger: NetworkPolicy = serde_json::from_value(stranger).unwrap();
    let stranger = world.api::<NetworkPolicy>().create(&PostParams::default(), &stranger).await.unwrap();
    let operator = Operator::start(&world).await;
    world.apply("shop", open_to(&json!([{ "namespace": "web" }]))).await;
    let object = world.until_ready("shop", "False", "NameTaken").await;
    assert!(is(&object, "Stalled", "True", "NameTaken"));
    let said = message(&object, "Ready");
    let delete = format!("kubectl delete networkpolicies shop -n {}", world.namespace);
    assert!(said.contains("NetworkPolicy shop already exists") && said.contains(&delete), "{said}");
    operator.journal.at_rest().await;
    assert!(world.list::<Deployment>().await.is_empty(), "a pod would be open to everyone");
    assert_eq!(world.get::<NetworkPolicy>("shop").await, stranger);

    // Without the field, the name is not needed.
    world.serve("shop", prebuilt(1)).await;
    assert_eq!(world.get::<NetworkPolicy>("shop").await, stranger);

    // A running app keeps running.
    world.fail("shop", open_to(&json!([])), "NameTaken").await;
    assert_eq!(world.app_pods().await.len(), 1);
    world.delete::<NetworkPolicy>("shop").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.get::<NetworkPolicy>("shop").await.owner_references().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_that_everyone_may_reach_causes_no_request_for_a_network_policy() {
    let world = World::new("allow-everyone").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    operator.journal.at_rest().await;
    let noted = operator.journal.noted();
    let asked = noted.iter().filter(|noted| noted.path.contains("networkpolicies"));
    let others: Vec<_> =
        asked.filter(|noted| noted.method != "GET" || noted.path.ends_with("/shop")).collect();
    assert!(others.is_empty(), "{others:#?}");
}
