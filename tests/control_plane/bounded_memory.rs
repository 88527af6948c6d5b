//! Whatever tenants create, the operator stays below the memory limit of the chart and works.

use std::time::Instant;

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::harness::namespaced::PAUSE;
use crate::harness::process::Process;
use crate::harness::{Kind, Operator, World, prebuilt};

/// Seconds of the Lease: it does not expire within a test.
const LEASE: u16 = 300;

/// Objects that are created or deleted at the same time.
const AT_ONCE: usize = 16;

/// Text that does not compress: another one for each number.
fn noise(number: usize, bytes: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1);
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + u8::try_from(state % 75).unwrap())
    };
    std::iter::repeat_with(letter).take(bytes).filter(|letter| *letter != '\\').collect()
}

/// A stopped project whose environment has this much text.
fn large(number: usize, bytes: usize) -> Value {
    let mut spec = prebuilt(u8::try_from(number % 250).unwrap());
    let variable =
        |part: usize| json!({ "name": format!("V{part}"), "value": noise(number * 100 + part, 1000) });
    spec["run"]["env"] = (0..bytes / 1000).map(variable).collect();
    spec
}

impl World {
    /// Creates this many objects, the way tenants do.
    async fn create_many<K: Kind>(&self, count: usize, object: impl Fn(usize) -> Value) {
        let api = self.api::<K>();
        let create = |number: usize| {
            let (api, object) = (api.clone(), serde_json::from_value::<K>(object(number)).unwrap());
            async move { drop(api.create(&PostParams::default(), &object).await.unwrap()) }
        };
        stream::iter(0..count).map(create).buffer_unordered(AT_ONCE).for_each(std::future::ready).await;
    }

    /// The API server's rejection of this spec.
    async fn rejection(&self, spec: Value) -> String {
        self.try_apply("shop", spec).await.expect_err("a rejection").to_string()
    }

    /// The three attacks: the largest projects that the API server accepts, large `ConfigMap`s, and objects with our label that
    /// are as large as etcd accepts.
    async fn attack(&self) {
        let labels = json!({ names::PROJECT: "canary", names::ROLE: "app" });
        let pod = |number| {
            json!({ "containers": [{
            "name": "app", "image": "registry.test/app", "env": [{ "name": "NOISE", "value": noise(number, 1_200_000) }] }] })
        };
        let metadata = |number: usize| json!({ "name": format!("stranger-{number}"), "labels": labels });
        self.create_many::<ProjectDeployment>(60, |number| {
            let (api, kind) = ("doce.dev/v1alpha1", "ProjectDeployment");
            let metadata = json!({ "name": format!("large-{number}"), "annotations": { "note": noise(number, 200_000) } });
            json!({ "apiVersion": api, "kind": kind, "metadata": metadata, "spec": large(number, 30_000) })
        })
        .await;
        self.create_many::<ConfigMap>(350, |number| {
            let note = json!({ "note": noise(number, 250_000) });
            json!({ "metadata": { "name": format!("large-{number}"), "annotations": note } })
        })
        .await;
        self.create_many::<Deployment>(40, |number| {
            let template = json!({ "metadata": { "labels": labels }, "spec": pod(number) });
            let spec = json!({ "replicas": 0, "selector": { "matchLabels": labels }, "template": template });
            json!({ "metadata": metadata(number), "spec": spec })
        })
        .await;
        self.create_many::<Job>(40, |number| {
            let mut pod = pod(number);
            pod["restartPolicy"] = json!("Never");
            json!({ "metadata": metadata(number), "spec": { "suspend": true, "template": { "spec": pod } } })
        })
        .await;
        self.create_many::<ControllerRevision>(40, |number| {
            json!({ "metadata": metadata(number), "revision": 1, "data": { "noise": noise(number, 1_200_000) } })
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn attacks_of_tenants_leave_the_operator_under_its_memory_limit_and_working() {
    let chart: Value = serde_yaml::from_str(include_str!("../../charts/doce-operator/values.yaml")).unwrap();
    let limit = chart["resources"]["limits"]["memory"].as_str().unwrap().strip_suffix("Mi").unwrap();
    let limit = limit.parse::<u64>().unwrap();
    let world = World::new("attacks").await;
    world.allow_election("a").await;
    let operator = Process::start(&world, "a", LEASE);
    world.serve("canary", prebuilt(1)).await;
    world.attack().await;
    world.serve("canary", prebuilt(2)).await;
    let peak = operator.peak_mib();
    println!("the operator that was attacked had at most {peak} of {limit} MiB");
    assert!(peak < limit, "{peak} MiB, and the chart allows {limit}");
    drop(operator);

    let operator = Process::start(&world, "a", LEASE);
    world.serve("canary", prebuilt(3)).await;
    let peak = operator.peak_mib();
    println!("the operator that started after it had at most {peak} of {limit} MiB");
    assert!(peak < limit, "{peak} MiB after a restart, and the chart allows {limit}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_spec_that_is_too_large_is_rejected_with_the_field_and_the_way_out() {
    let world = World::new("too-large").await;
    let with = |field: &str, value: Value| {
        let mut spec = prebuilt(1);
        let (section, field) = field.split_once('.').unwrap();
        spec[section][field] = value;
        spec
    };
    let huge = world.rejection(with("run.env", json!([{ "name": "A", "value": noise(1, 1_200_000) }]))).await;
    assert!(huge.contains("spec.run.env[0].value") && huge.contains("32768"), "{huge}");
    let much = world.rejection(large(1, 40_000)).await;
    assert!(much.contains("at most 32 KiB of text in total") && much.contains("spec.run.envFrom"), "{much}");
    let args: Value =
        (0..20).map(|n| (format!("A{n}"), json!(noise(n, 1000)))).collect::<serde_json::Map<_, _>>().into();
    let args = world.rejection(with("build.args", args)).await;
    assert!(args.contains("spec.build must contain at most 16 KiB of text"), "{args}");
    let amount = world.rejection(with("run.resources", json!({ "limits": { "cpu": "1".repeat(40) } }))).await;
    assert!(amount.contains("spec.run.resources.limits.cpu"), "{amount}");

    world.apply("large", large(1, 31_000)).await;
    let mut nulls = prebuilt(1);
    nulls["run"] = json!({ "workingDir": null, "initCommand": null, "resources": null });
    nulls["build"] = json!({ "command": null, "target": null });
    let object = json!({ "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "nulls" }, "spec": nulls });
    let kind = ApiResource::erase::<ProjectDeployment>(&());
    let projects = Api::<DynamicObject>::namespaced_with(world.client.clone(), &world.namespace, &kind);
    projects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// A copy of the definition in a group of its own, without the bounds of text in `run` and `build` if it is `old`.
fn copied(group: &str, old: bool) -> Value {
    let mut definition = serde_json::to_value(doce_operator::crd::definition()).unwrap();
    (definition["apiVersion"], definition["kind"]) =
        (json!("apiextensions.k8s.io/v1"), json!("CustomResourceDefinition"));
    definition["metadata"]["name"] = json!(kind_name(group));
    definition["spec"]["group"] = json!(group);
    let spec = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    for section in ["run", "build"].into_iter().filter(|_| old) {
        let rules = spec[section]["x-kubernetes-validations"].as_array_mut().unwrap();
        rules.retain(|rule| !rule["message"].as_str().unwrap().contains("of text in total"));
    }
    let value = &mut spec["run"]["properties"]["env"]["items"]["properties"]["value"];
    if old {
        value.as_object_mut().unwrap().remove("maxLength");
    }
    definition
}

async fn define(client: &Client, definition: &Value) {
    let name = definition["metadata"]["name"].as_str().unwrap();
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let params = PatchParams::apply("test").force();
    definitions.patch(name, &params, &Patch::Apply(definition)).await.unwrap();
    await_condition(definitions, name, is_crd_established()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_object_that_is_older_than_a_bound_stays_and_changes_elsewhere() {
    let world = World::new("older").await;
    let group = format!("{}.test", world.namespace);
    define(&world.client, &copied(&group, true)).await;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(&group, "v1alpha1", "ProjectDeployment"));
    let api = Api::<DynamicObject>::namespaced_with(world.client.clone(), &world.namespace, &kind);
    let object = |name: &str| DynamicObject::new(name, &kind).data(json!({ "spec": large(1, 100_000) }));
    let created = tokio::time::timeout(world.patience, async {
        while api.create(&PostParams::default(), &object("old")).await.is_err() {
            tokio::time::sleep(PAUSE).await; // The API server serves a new kind a moment later.
        }
    });
    created.await.unwrap();
    define(&world.client, &copied(&group, false)).await;
    let bounded = tokio::time::timeout(world.patience, async {
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        while api.create(&dry_run, &object("new")).await.is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    });
    bounded.await.unwrap();

    let patch = |patch: Value| {
        let api = &api;
        async move { api.patch("old", &PatchParams::default(), &Patch::Merge(patch)).await }
    };
    patch(json!({ "spec": { "replicas": 3 } })).await.unwrap();
    patch(json!({ "metadata": { "annotations": { "doce.dev/restart": "@1" } } })).await.unwrap();
    let status = json!({ "status": { "observedGeneration": 2 } });
    api.patch_status("old", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let rejected = patch(json!({ "spec": { "run": { "port": 8080 } } })).await.unwrap_err().to_string();
    assert!(rejected.contains("spec.run must contain at most 32 KiB of text"), "{rejected}");
    patch(json!({ "spec": { "run": { "port": 8080, "env": [] } } })).await.unwrap();
    let definitions = Api::<CustomResourceDefinition>::all(world.client.clone());
    drop(definitions.delete(&kind_name(&group), &DeleteParams::background()).await.unwrap());
}

fn kind_name(group: &str) -> String {
    format!("projectdeployments.{group}")
}

/// `DOCE_SOAK` projects are created and deleted, by default a hundred.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn created_and_deleted_projects_leave_nothing_in_memory() {
    let count = std::env::var("DOCE_SOAK").map_or(100, |count| count.parse::<usize>().unwrap());
    let world = World::new("soak").await;
    let operator = Operator::start(&world).await;
    world.serve("stays", prebuilt(1)).await;
    operator.journal.at_rest().await;
    operator.until_metrics("{kind=\"projects with work to report\"} 0\n").await;
    let before = operator.held().await;
    let begun = Instant::now();
    let life = |number: usize| {
        let (world, name) = (&world, format!("p{number}"));
        async move {
            if number.is_multiple_of(3) {
                world.apply(&name, json!({ "source": { "configMap": { "name": "missing" } } })).await;
                world.until_ready(&name, "False", "ConfigMapNotFound").await;
            } else {
                world.serve(&name, prebuilt(2)).await;
            }
            world.delete::<ProjectDeployment>(&name).await;
            world.until_gone::<ProjectDeployment>(&name).await;
        }
    };
    stream::iter(0..count).map(life).buffer_unordered(AT_ONCE).for_each(std::future::ready).await;
    operator.until_metrics(&before).await;
    println!(
        "{count} projects were created and deleted within {:.0} s:\n{before}",
        begun.elapsed().as_secs_f64()
    );
}
