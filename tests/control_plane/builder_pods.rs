//! Builder pods: which builds get one, and when it ends. No BuildKit runs here: `tests/node/` builds with it.

use doce_operator::desired::builder_job::key;
use doce_operator::protocol::order::Profile;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::harness::{Built, Operator, Options, World, branch, commit};

fn isolated() -> Options {
    Options { profile: Profile::Isolated, ..Options::default() }
}

/// Waits until the builder pods work for exactly these build Jobs.
async fn until_builders_of(builds: &World, expected: &[&Job]) -> Vec<Job> {
    let mut names: Vec<String> = expected.iter().map(|job| key(job).unwrap().name()).collect();
    names.sort();
    let what = format!("the Jobs of builder pods are {names:?}");
    builds
        .until_list(&what, |there: &[Job]| {
            let lives = |job: &&Job| job.metadata.deletion_timestamp.is_none();
            let mut there: Vec<String> = there.iter().filter(lives).map(ResourceExt::name_any).collect();
            there.sort();
            there == names
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_build_in_a_restricted_namespace_has_a_builder_pod_until_it_ends() {
    let world = World::new("isolated").await;
    world.enforces("restricted").await;
    let builds = world.builds().await;
    let _operator = Operator::start_with(&world, isolated()).await;
    world.apply("shop", commit(1)).await;
    let (build, _) = world.running_build().await;
    let builders = until_builders_of(&builds, &[&build]).await;
    let spec = json!(builders[0].spec.as_ref().unwrap().template.spec);
    assert_eq!(
        (&spec["hostname"], &spec["subdomain"]),
        (&json!(builders[0].name_any()), &json!("doce-builders"))
    );
    assert_eq!(builders[0].labels()["doce.dev/build-uid"], build.uid().unwrap());
    builds.until_labelled::<Pod>("doce.dev/role=builder", "it has a pod", |pods| pods.len() == 1).await;

    world.finish_build(Built::default()).await;
    world.until_ready("shop", "True", "Serving").await;
    until_builders_of(&builds, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn builder_pods_whose_build_was_cancelled_or_ended_while_no_operator_ran_are_deleted() {
    let world = World::new("isolated-ends").await;
    let builds = world.builds().await;
    let operator = Operator::start_with(&world, isolated()).await;
    world.apply("cancelled", commit(1)).await;
    let (build, _) = world.running_build().await;
    until_builders_of(&builds, &[&build]).await;
    let id = build.name_any();
    assert_eq!(world.ask("cancelled", "cancel", &format!("{id}@1")).await, format!("cancelled {id}"));
    until_builders_of(&builds, &[]).await;

    world.apply("shop", commit(2)).await;
    let (build, _) = world.running_build().await;
    until_builders_of(&builds, &[&build]).await;
    operator.stop().await;
    world.delete::<Job>(&build.name_any()).await;
    world.until_gone::<Job>(&build.name_any()).await;
    let _operator = Operator::start_with(&world, isolated()).await;
    let (again, _) = world.running_build().await;
    until_builders_of(&builds, &[&again]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_pod_of_a_poll_gets_a_builder_pod_when_it_is_ready() {
    let world = World::new("isolated-polls").await;
    let builds = world.builds().await;
    let _operator = Operator::start_with(&world, isolated()).await;
    let mut spec = branch("main");
    spec["source"]["git"]["interval"] = json!("1m");
    world.apply("shop", spec).await;
    world.finish_build(Built { commit: Some("01".repeat(20)), ..Built::default() }).await;
    world.until_ready("shop", "True", "Serving").await;
    until_builders_of(&builds, &[]).await;

    let (poll, pod) = world.running_build().await;
    assert!(
        json!(pod).to_string().contains("readinessProbe"),
        "kwok makes every pod ready, a kubelet asks it"
    );
    until_builders_of(&builds, &[&poll]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn jobs_that_a_user_starts_with_our_labels_get_no_more_builder_pods_than_builds_may_run() {
    let world = World::new("isolated-strangers").await;
    let builds = world.builds().await;
    let operator = Operator::start_with(&world, Options { build_limit: 2, ..isolated() }).await;
    world.apply("shop", commit(1)).await;
    let (build, _) = world.running_build().await;
    until_builders_of(&builds, &[&build]).await;
    // A user of the namespace copies the Job, with its owner.
    for number in 0..3 {
        let mut copy = json!(build);
        copy["metadata"] = json!({
            "labels": build.labels(), "annotations": build.annotations(), "ownerReferences": build.owner_references(),
        });
        copy["spec"].as_object_mut().unwrap().remove("selector");
        let template = copy["spec"]["template"]["metadata"]["labels"].as_object_mut().unwrap();
        template.retain(|label, _| !label.contains("controller-uid") && !label.contains("job-name"));
        let secret = format!("{number}").repeat(64);
        let env = copy["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        for variable in env.iter_mut().filter(|variable| variable["name"] == "DOCE_BUILDER_KEY") {
            variable["value"] = Value::String(secret.clone());
        }
        copy.as_object_mut().unwrap().remove("status");
        world.try_apply_object::<Job>(&format!("copy-{number}"), copy).await.unwrap();
    }
    // One copy gets the second place, and the others get none, however often the operator looks.
    let with_a_copy = |there: &[Job]| {
        let of_build = there.iter().any(|job| job.name_any() == key(&build).unwrap().name());
        of_build && there.len() == 2
    };
    builds.until_list("the build and one copy have builder pods", with_a_copy).await;
    for number in 0..3 {
        let touched = json!({ "metadata": { "annotations": { "touched": number.to_string() } } });
        world.patch::<Job>(&format!("copy-{number}"), touched).await;
        operator.journal.at_rest().await;
    }
    assert_eq!(builds.list::<Job>().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_builder_pod_that_a_quota_rejects_is_created_when_there_is_room() {
    let world = World::new("isolated-quota").await;
    let builds = world.builds().await;
    let none = json!({ "spec": { "hard": { "count/jobs.batch": "0" } } });
    builds.try_apply_object::<ResourceQuota>("none", none).await.unwrap();
    builds
        .until::<ResourceQuota>("none", "it counts", |quota: Option<&ResourceQuota>| {
            quota.is_some_and(|quota| quota.status.as_ref().is_some_and(|status| status.hard.is_some()))
        })
        .await;
    let operator = Operator::start_with(&world, isolated()).await;
    world.apply("shop", commit(1)).await;
    let (build, _) = world.running_build().await;
    assert!(builds.list::<Job>().await.is_empty());
    builds.delete::<ResourceQuota>("none").await;
    until_builders_of(&builds, &[&build]).await;
    assert!(operator.runs());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_api_server_accepts_the_policy_that_closes_its_own_addresses_to_build_steps() {
    let world = World::new("isolated-egress").await;
    let builds = world.builds().await;
    // Helm asks this cluster.
    let more = ["--dry-run=server", "--set", "build.createNamespace=false,crds.install=false"];
    let objects = world.rendered("templates/builds.yaml", &more);
    let policies: Vec<_> = objects
        .into_iter()
        .filter(|object| object.types.as_ref().is_some_and(|types| types.kind == "NetworkPolicy"))
        .collect();
    world.install(&policies).await;
    let policy = builds.get::<NetworkPolicy>("doce-builders-egress").await;
    let text = json!(policy.spec).to_string();
    let services = Api::<Service>::namespaced(world.client.clone(), "default");
    let address = services.get("kubernetes").await.unwrap().spec.unwrap().cluster_ip.unwrap();
    assert!(text.contains(&format!("\"{address}/32\"")), "{text}");
    let slices = Api::<EndpointSlice>::namespaced(world.client.clone(), "default");
    let slices = slices.list(&ListParams::default().labels("kubernetes.io/service-name=kubernetes")).await;
    for address in
        slices.unwrap().items.iter().flat_map(|slice| &slice.endpoints).flat_map(|end| &end.addresses)
    {
        assert!(text.contains(&format!("\"{address}/32\"")), "{address}: {text}");
    }
}
