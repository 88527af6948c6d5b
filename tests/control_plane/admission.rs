//! The admission policies of the chart hold the operator's `ServiceAccount` to what the operator does. Every other test of
//! this directory runs under them too, see `harness/setup.rs`.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::harness::cleanups::{outside, suspended};
use crate::harness::operator::as_user;
use crate::harness::{Built, Kind, Operator, Options, World, prebuilt};
use doce_operator::protocol::order::Profile;

const TEMPLATE: &str = "templates/admission.yaml";

/// Longest wait for a new policy to take effect.
const SOON: Duration = Duration::from_mins(1);

/// A namespace with the policies for its operator, and a client of a thief: the `ServiceAccount` of the operator, which
/// only the policies limit.
struct Held {
    world: World,
    builds: World,
    thief: Client,
    policies: Vec<DynamicObject>,
    /// Uid of the project `shop`.
    uid: String,
}

impl Held {
    async fn new(test: &str, more: &[&str]) -> Self {
        let world = World::new(test).await;
        let builds = world.builds().await;
        let policies = world.rendered(TEMPLATE, more);
        world.install(&policies).await;
        let config = as_user(&world.user(None), "system:masters").await;
        let (thief, uid) = (Client::try_from(config).unwrap(), "uid-1".to_owned());
        let held = Self { world, builds, thief, policies, uid };
        for (rule, object) in held.probes() {
            let waited = tokio::time::timeout(SOON, async {
                while held.create(&object).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
            waited.await.unwrap_or_else(|_| panic!("the policy with the rule {rule} does not take effect"));
        }
        held
    }

    /// One object for each policy, which it rejects.
    fn probes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("labels", without(&self.deployment(), "/metadata/labels/doce.dev~1role")),
            ("host", with(&self.deployment(), "/spec/template/spec/hostNetwork", json!(true))),
            ("services", with(&self.service(), "/spec/type", json!("LoadBalancer"))),
            ("network", with(&self.network_policy(), "/spec/podSelector", json!({}))),
            ("events", with(&self.event(), "/regarding/kind", json!("Node"))),
            ("leases", with(&self.lease(), "/metadata/name", json!("other"))),
        ]
    }

    /// Sends a creation as the thief that would store nothing.
    async fn create(&self, object: &Value) -> Result<(), String> {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.thief.clone(), &object.namespace().unwrap(), &resource);
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        api.create(&dry, &object).await.map(drop).map_err(|error| error.to_string())
    }

    async fn patch<K: Kind>(&self, name: &str, patch: Value) -> Result<(), String> {
        let api: Api<K> = Api::namespaced(self.thief.clone(), &self.world.namespace);
        let patched = api.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
        patched.map(drop).map_err(|error| error.to_string())
    }

    /// The same as an administrator.
    async fn add<K: Kind>(&self, name: &str, patch: Value) {
        self.world.api::<K>().patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    }

    async fn delete<K: Kind>(&self, name: &str) -> Result<(), String> {
        let api: Api<K> = Api::namespaced(self.thief.clone(), &self.world.namespace);
        api.delete(name, &DeleteParams::background()).await.map(drop).map_err(|error| error.to_string())
    }

    fn metadata(&self, role: &str) -> Value {
        json!({
            "name": "shop", "namespace": self.world.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "doce-operator", "doce.dev/role": role,
                "doce.dev/project": "shop", "doce.dev/uid": self.uid,
            },
            "ownerReferences": [{
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "name": "shop", "uid": self.uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        })
    }

    fn deployment(&self) -> Value {
        let selector = json!({ "doce.dev/project": "shop", "doce.dev/role": "app" });
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.metadata("app"),
            "spec": {
                "replicas": 0,
                "selector": { "matchLabels": selector },
                "template": { "metadata": { "labels": selector }, "spec": {
                    "automountServiceAccountToken": false,
                    "containers": [{ "name": "app", "image": "registry.test/app:1" }],
                    "volumes": [{ "name": "tls", "secret": { "secretName": "tls" } }],
                }},
            },
        })
    }

    /// A build Job with a token for the embedded registry.
    fn build(&self) -> Value {
        let token = json!({ "serviceAccountToken": { "audience": "doce-registry", "path": "token" } });
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata("build"),
            "spec": { "suspend": true, "template": { "spec": {
                "restartPolicy": "Never", "automountServiceAccountToken": false,
                "containers": [{ "name": "build", "image": "buildkit.test/rootless:1" }],
                "volumes": [{ "name": "token", "projected": { "sources": [token] } }],
            }}},
        })
    }

    fn builder(&self) -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": "builder-1", "namespace": self.builds.namespace, "labels": {
                "app.kubernetes.io/managed-by": "doce-operator", "doce.dev/role": "builder",
                "doce.dev/build-namespace": self.world.namespace, "doce.dev/build-uid": "uid-2",
            }},
            "spec": { "template": { "spec": {
                "restartPolicy": "Never", "automountServiceAccountToken": false,
                "containers": [{ "name": "builder", "image": "buildkit.test/rootless:1", "env": [{ "name": "A", "value": "b" }] }],
                "volumes": [{ "name": "doce", "emptyDir": {} }],
            }}},
        })
    }

    fn service(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": self.metadata("app"),
            "spec": {
                "type": "NodePort", "selector": { "doce.dev/project": "shop", "doce.dev/role": "app" },
                "ports": [{ "port": 80 }],
            },
        })
    }

    fn network_policy(&self) -> Value {
        let pods = json!({ "doce.dev/project": "shop", "doce.dev/role": "app" });
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": self.metadata("app"),
            "spec": { "podSelector": { "matchLabels": pods }, "policyTypes": ["Ingress"] },
        })
    }

    fn event(&self) -> Value {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": { "name": "shop.1", "namespace": self.world.namespace },
            "eventTime": "2026-11-30T08:00:00.000000Z", "type": "Normal", "reason": "Serving", "action": "v1", "note": "it serves",
            "reportingController": "doce-operator", "reportingInstance": "a",
            "regarding": { "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "name": "shop", "namespace": self.world.namespace },
        })
    }

    fn lease(&self) -> Value {
        let name = format!("doce-operator-{}", self.world.namespace);
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": name, "namespace": self.world.namespace }, "spec": {},
        })
    }

    /// Deletes the policies, which are not in a namespace.
    async fn end(self) {
        for object in &self.policies {
            let kind = object.types.as_ref().unwrap().kind.as_str();
            let (client, name) = (self.world.client.clone(), object.name_any());
            let params = DeleteParams::default();
            if kind == "ValidatingAdmissionPolicy" {
                drop(Api::<ValidatingAdmissionPolicy>::all(client).delete(&name, &params).await.unwrap());
            } else {
                drop(
                    Api::<ValidatingAdmissionPolicyBinding>::all(client)
                        .delete(&name, &params)
                        .await
                        .unwrap(),
                );
            }
        }
    }
}

/// The object with this value at a JSON pointer; `/-` at its end appends to a list.
fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    match object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Array(items) => items.push(value),
        fields => fields[key] = value,
    }
    object
}

fn without(object: &Value, pointer: &str) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let fields = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    fields.remove(&key.replace("~1", "/")).unwrap();
    object
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_creation_in_the_operators_name_that_the_operator_never_makes_is_rejected_with_the_rule() {
    let held = Held::new("admission-create", &[]).await;
    let (deployment, build, builder, service) =
        (held.deployment(), held.build(), held.builder(), held.service());
    let network = held.network_policy();
    let pod = "/spec/template/spec";
    let at = |path: &str| format!("{pod}{path}");
    let token = |audience: Option<&str>| {
        let token = json!({ "serviceAccountToken": { "audience": audience, "path": "t" } });
        json!({ "name": "other", "projected": { "sources": [token] } })
    };
    let host_path = json!({ "name": "node", "hostPath": { "path": "/" } });
    let secret = json!({ "name": "secret", "secret": { "secretName": "any" } });
    let from_secret =
        json!([{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "any", "key": "k" } } }]);
    let mighty = json!([{ "name": "m", "image": "m", "securityContext": { "privileged": true } }]);
    let capable =
        json!({ "name": "m", "image": "m", "securityContext": { "capabilities": { "add": ["SYS_ADMIN"] } } });
    let exposed = json!({ "name": "m", "image": "m", "ports": [{ "containerPort": 80, "hostPort": 80 }] });
    let system = with(&deployment, "/metadata/namespace", json!("kube-system"));
    let in_builds = json!(held.builds.namespace);
    let cases = [
        ("namespaces", system),
        ("labels", without(&deployment, "/metadata/labels/app.kubernetes.io~1managed-by")),
        ("labels", without(&deployment, "/metadata/labels/doce.dev~1uid")),
        ("labels", without(&builder, "/metadata/labels/doce.dev~1build-uid")),
        ("owner", without(&deployment, "/metadata/ownerReferences")),
        ("owner", with(&deployment, "/metadata/ownerReferences/0/kind", json!("ReplicaSet"))),
        ("owner", with(&service, "/metadata/ownerReferences/0/uid", json!("uid-3"))),
        (
            "builders",
            with(&without(&build, &at("/volumes")), "/metadata/labels/doce.dev~1role", json!("builder")),
        ),
        ("builders", with(&builder, "/metadata/labels/doce.dev~1role", json!("build"))),
        (
            "builders",
            with(&builder, "/metadata/ownerReferences", build["metadata"]["ownerReferences"].clone()),
        ),
        ("labels", with(&without(&deployment, &at("/volumes")), "/metadata/namespace", in_builds)),
        ("account", without(&deployment, &at("/automountServiceAccountToken"))),
        ("account", with(&build, &at("/automountServiceAccountToken"), json!(true))),
        ("account", with(&deployment, &at("/serviceAccountName"), json!("admin"))),
        ("tokens", with(&build, &at("/volumes/-"), token(None))),
        ("tokens", with(&build, &at("/volumes/-"), token(Some("https://kubernetes.default.svc")))),
        ("tokens", with(&deployment, &at("/volumes/-"), token(Some("doce-registry")))),
        ("volumes", with(&deployment, &at("/volumes/-"), host_path.clone())),
        ("volumes", with(&builder, &at("/volumes/-"), host_path)),
        ("volumes", with(&build, &at("/volumes/-"), json!({ "name": "x", "csi": { "driver": "d" } }))),
        ("host", with(&deployment, &at("/hostNetwork"), json!(true))),
        ("host", with(&build, &at("/hostPID"), json!(true))),
        ("host", with(&builder, &at("/hostIPC"), json!(true))),
        ("host", with(&deployment, &at("/containers/-"), exposed)),
        ("privileged", with(&deployment, &at("/initContainers"), mighty.clone())),
        ("privileged", with(&builder, &at("/containers/0/securityContext"), json!({ "privileged": true }))),
        ("privileged", with(&build, &at("/containers/-"), capable)),
        ("secrets", with(&builder, &at("/volumes/-"), secret)),
        ("secrets", with(&builder, &at("/containers/0/env"), from_secret)),
        (
            "secrets",
            with(&builder, &at("/containers/0/envFrom"), json!([{ "secretRef": { "name": "any" } }])),
        ),
        ("secrets", with(&builder, &at("/imagePullSecrets"), json!([{ "name": "any" }]))),
        ("services", with(&service, "/spec/type", json!("LoadBalancer"))),
        ("services", with(&service, "/spec/selector/doce.dev~1project", json!("other"))),
        ("services", with(&service, "/spec/externalIPs", json!(["203.0.113.7"]))),
        ("network", with(&network, "/spec/podSelector/matchLabels/doce.dev~1project", json!("other"))),
        ("network", with(&network, "/spec/podSelector/matchLabels/doce.dev~1role", json!("build"))),
        ("network", with(&network, "/spec/policyTypes", json!(["Ingress", "Egress"]))),
        ("events", with(&held.event(), "/reportingController", json!("kubelet"))),
        ("leases", with(&held.lease(), "/metadata/name", json!("kube-scheduler"))),
    ];
    for (number, (rule, object)) in cases.iter().enumerate() {
        let said = held.create(object).await.expect_err(&format!("case {number} of rule {rule} is accepted"));
        assert!(said.contains(&format!("denied request: rule {rule}: ")), "case {number}: {said}");
        assert!(said.contains(&held.world.namespace), "by the policy of this operator: {said}");
    }
    let inside = with(&service, "/spec/type", json!("ClusterIP"));
    for object in [&deployment, &build, &builder, &service, &inside, &network, &held.event(), &held.lease()] {
        held.create(object).await.unwrap();
    }
    held.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn only_the_profiles_that_need_it_let_the_operator_create_privileged_build_pods() {
    let privileged = ["--set", "build.profile=userns"];
    let held = Held::new("admission-userns", &privileged).await;
    let mut build = held.build();
    build["spec"]["template"]["spec"]["hostUsers"] = json!(false);
    let security = "/spec/template/spec/containers/0/securityContext";
    let build = with(&build, security, json!({ "privileged": true }));
    held.create(&build).await.unwrap();
    for other in [
        with(&build, "/spec/template/spec/hostUsers", json!(true)),
        with(&build, "/spec/template/spec/containers/0/name", json!("app")),
        with(&build, "/metadata/labels/doce.dev~1role", json!("init")),
        with(&held.builder(), security, json!({ "privileged": true })),
    ] {
        let said = held.create(&other).await.unwrap_err();
        assert!(said.contains("rule privileged") || said.contains("rule tokens"), "{said}");
    }
    held.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_operator_changes_only_its_own_objects_and_adds_nothing_that_a_rule_forbids() {
    let mut held = Held::new("admission-update", &[]).await;
    // Kubernetes deletes objects whose owner does not exist.
    held.uid = held.world.apply("shop", prebuilt(1)).await.uid().unwrap();
    let (world, uid) = (&held.world, &held.uid);
    let own = held.metadata("app");
    let own = json!({ "metadata": { "labels": own["labels"], "ownerReferences": own["ownerReferences"] } });
    world.try_apply_object::<Deployment>("other", held.deployment()).await.unwrap();
    let mut foreign = held.deployment();
    foreign["metadata"] = json!({ "labels": { "app": "foreign" } });
    world.try_apply_object::<Deployment>("foreign", foreign).await.unwrap();
    let mut job = held.build();
    job["metadata"] = json!({});
    world.try_apply_object::<Job>("foreign", job).await.unwrap();

    let harmless = json!({ "spec": { "replicas": 1 } });
    for said in [
        held.patch::<Deployment>("foreign", harmless.clone()).await,
        held.patch::<Deployment>("foreign", own).await,
        held.patch::<Job>("foreign", json!({ "spec": { "suspend": false } })).await,
        held.delete::<Job>("foreign").await,
        held.delete::<Deployment>("foreign").await,
    ] {
        assert!(said.as_ref().is_err_and(|said| said.contains("rule own: ")), "{said:?}");
    }
    let unlabelled = json!({ "metadata": { "labels": { "doce.dev/uid": null } } });
    let said = held.patch::<Deployment>("other", unlabelled.clone()).await.unwrap_err();
    assert!(said.contains("rule labels: "), "{said}");
    let orphaned = json!({ "metadata": { "ownerReferences": [{ "uid": uid, "$patch": "delete" }] } });
    let said = held.patch::<Deployment>("other", orphaned).await.unwrap_err();
    assert!(said.contains("rule owner: "), "{said}");

    // A user adds what the operator must not. The operator can still scale and repair, but not add to it.
    let pod = |pod: Value| json!({ "spec": { "template": { "spec": pod } } });
    let sidecar = json!({ "name": "mesh", "image": "mesh:1", "securityContext": { "privileged": true } });
    let theirs = pod(json!({
        "hostNetwork": true, "automountServiceAccountToken": true, "containers": [sidecar],
        "volumes": [{ "name": "node", "hostPath": { "path": "/var" } }],
    }));
    held.add::<Deployment>("other", theirs).await;
    held.add::<Deployment>("other", unlabelled).await;
    held.patch::<Deployment>("other", harmless).await.unwrap();
    held.patch::<Deployment>("other", json!({ "metadata": { "labels": { "doce.dev/uid": uid } } }))
        .await
        .unwrap();
    for (rule, more) in [
        ("volumes", json!({ "volumes": [{ "name": "more", "hostPath": { "path": "/" } }] })),
        (
            "privileged",
            json!({ "containers": [{ "name": "app", "securityContext": { "privileged": true } }] }),
        ),
        ("host", json!({ "hostPID": true })),
        ("account", json!({ "serviceAccountName": "admin" })),
    ] {
        let said = held.patch::<Deployment>("other", pod(more)).await.unwrap_err();
        assert!(said.contains(&format!("rule {rule}: ")), "{said}");
    }
    held.delete::<Deployment>("other").await.unwrap();
    held.end().await;
}

async fn until_whole<K: Kind>(world: &World) {
    let whole = |there: Option<&K>| {
        there.is_some_and(|there| {
            let labels = there.labels();
            labels.contains_key("doce.dev/uid")
                && labels.contains_key("doce.dev/role")
                && there.owner_references().len() == 1
        })
    };
    world.until::<K>("shop", "it has its labels and its owner", whole).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_whole_life_of_a_project_breaks_no_rule() {
    let held = Held::new("admission-life", &[]).await;
    let world = &held.world;
    let options = Options { profile: Profile::Isolated, sees_all: true, ..Options::default() };
    let operator = Operator::start_with(world, options).await;
    world.try_apply_object::<ConfigMap>("settings", json!({ "data": { "a": "b" } })).await.unwrap();
    let spec = |n: u8| {
        let mut spec = outside(n);
        spec["run"] = json!({
            "port": 80,
            "initCommand": { "command": ["migrate"] },
            "env": [{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "key" } } }],
            "imagePullSecrets": [{ "name": "pull" }],
            "volumes": [
                { "name": "tls", "mountPath": "/tls", "secret": { "name": "tls" } },
                { "name": "settings", "mountPath": "/settings", "configMap": { "name": "settings" } },
            ],
        });
        spec
    };
    let mut built = String::new();
    let mut before = String::new();
    for n in [1, 2, 3] {
        world.apply("shop", spec(n)).await;
        let job = world.finish_build(Built::default()).await;
        let pod = world.init_pod(&before).await;
        world.end_init(&pod, 0, "").await;
        before = pod.name_any();
        world.until_ready("shop", "True", "Serving").await;
        if n == 1 {
            built = job;
        }
    }
    world.until_sets(2).await;
    world.delete::<Job>(&built).await;
    world.until_cleanup("the Job has started", |job| !suspended(job)).await;
    world.end_cleanup("Succeeded").await;

    world.ask("shop", "restart", "@1").await;
    world.until_ready("shop", "True", "Serving").await;
    world.ask("shop", "rollback", "previous@1").await;
    world.until_ready("shop", "True", "Held").await;
    // Users take labels and owners away.
    let unlabelled = json!({ "metadata": { "labels": { "doce.dev/uid": null, "doce.dev/role": null } } });
    world.patch::<Deployment>("shop", unlabelled.clone()).await;
    world.patch::<ControllerRevision>("shop", json!({ "metadata": { "ownerReferences": null } })).await;
    world.patch::<Service>("shop", unlabelled).await;
    until_whole::<Deployment>(world).await;
    until_whole::<ControllerRevision>(world).await;
    until_whole::<Service>(world).await;
    let mut stopped = spec(3);
    stopped["state"] = json!("Stopped");
    world.apply("shop", stopped).await;
    world.until_ready("shop", "True", "Stopped").await;
    operator.journal.at_rest().await;
    let rejected: Vec<_> =
        operator.journal.noted().into_iter().filter(|noted| matches!(noted.status, 400 | 403)).collect();
    assert!(rejected.is_empty(), "{rejected:#?}");
    held.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_api_server_finds_no_type_error_in_the_policies() {
    let held = Held::new("admission-types", &[]).await;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(held.world.client.clone());
    for object in held
        .policies
        .iter()
        .filter(|object| object.types.as_ref().unwrap().kind == "ValidatingAdmissionPolicy")
    {
        let checked = tokio::time::timeout(SOON, async {
            loop {
                let status = policies.get(&object.name_any()).await.unwrap().status;
                if let Some(checking) = status.and_then(|status| status.type_checking) {
                    return checking;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let checking = checked.await.expect("the controller manager checks types");
        assert_eq!(checking.expression_warnings, None, "{}", object.name_any());
    }
    held.end().await;
}
