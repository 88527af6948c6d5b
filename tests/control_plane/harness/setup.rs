//! Installs the CRD, the rights and the admission policies from the chart once per test run, as rendered by real Helm.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::OnceCell;

use super::World;
use super::namespaced::PAUSE;

/// The name of the operator's `ServiceAccount` in these tests.
pub(crate) const ACCOUNT: &str = "doce-operator";

/// The group of every operator of these tests.
pub(crate) const GROUP: &str = "doce-test:operators";

/// The group of every HTTP API of these tests.
pub(crate) const SERVERS: &str = "doce-test:servers";

/// The kind of the admission policies, for which the chart asks the cluster.
const POLICIES: &str = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy";

/// The template with the rights for the election.
const ELECTION: &str = "templates/election.yaml";

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// An administrator's client for a cluster with the CRD and the rights.
pub(crate) async fn client() -> Client {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("DOCE_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default()
        .await
        .expect("KUBECONFIG: start these tests with `doce-cluster with control-plane --`");
    INSTALLED.get_or_init(|| install(client.clone())).await;
    client
}

async fn install(client: Client) {
    let (mut role, mut server) = (None, None);
    for object in rendered(&["--namespace", "doce-system", "--api-versions", POLICIES]) {
        let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
        match kind.as_str() {
            "CustomResourceDefinition" => apply(&client, &object).await,
            "ClusterRole" => {
                let aggregated = object.labels().keys().any(|label| label.contains("aggregate-to"));
                let others =
                    ["-sweep", "-registry", "-server"].iter().any(|end| object.name_any().ends_with(end));
                if !aggregated && !others {
                    role = Some(object.name_any());
                }
                if object.name_any().ends_with("-server") {
                    server = Some(object.name_any());
                }
                apply(&client, &object).await;
            }
            // The Lease of an operator of these tests has the name of its namespace.
            _ if object.name_any().ends_with("-leases") => {}
            "ValidatingAdmissionPolicy" => apply(&client, &for_every_operator(&object)).await,
            "ValidatingAdmissionPolicyBinding" => apply(&client, &object).await,
            _ => {}
        }
    }
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "doce-test" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.expect("the chart has a ClusterRole") },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP }],
    });
    apply(&client, &serde_json::from_value(binding).unwrap()).await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "doce-test-servers" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": server.expect("the HTTP API has a ClusterRole") },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": SERVERS }],
    });
    apply(&client, &serde_json::from_value(binding).unwrap()).await;
    let established =
        || await_condition(Api::all(client.clone()), "projectdeployments.doce.dev", is_crd_established());
    while established().await.is_err() {
        tokio::time::sleep(PAUSE).await; // Restart a failed watch.
    }
}

/// A policy of the chart for every operator of these tests and their namespaces of builds, instead of one each.
fn for_every_operator(policy: &DynamicObject) -> DynamicObject {
    let mut text = serde_json::to_string(policy).unwrap();
    let operators = format!("'{GROUP}' in request.userInfo.groups");
    for (one, every) in [
        (
            "request.userInfo.username == 'system:serviceaccount:doce-system:doce-doce-operator'",
            operators.as_str(),
        ),
        ("request.namespace == 'doce-builds'", "request.namespace.endsWith('-builds')"),
        ("request.namespace != 'doce-builds'", "!request.namespace.endsWith('-builds')"),
    ] {
        text = text.replace(one, every);
    }
    assert!(text.contains(&operators) && !text.contains("'doce-builds'"), "{text}");
    serde_json::from_str(&text).unwrap()
}

fn rendered(more: &[&str]) -> Vec<DynamicObject> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/doce-operator");
    let output = Command::new("helm")
        .arg("template")
        .arg("doce")
        .arg(chart)
        .args(more)
        .output()
        .expect("doce-cluster provides helm");
    assert!(output.status.success(), "helm template: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde_yaml::Value::deserialize(document).unwrap());
    documents
        .filter(|document| !document.is_null())
        .map(|document| serde_yaml::from_value(document).unwrap())
        .collect()
}

impl World {
    /// Lets an operator with this name take part in the election in this namespace, with the rights of the chart.
    pub(crate) async fn allow_election(&self, name: &str) {
        let namespace = &self.namespace;
        let more =
            ["--namespace", namespace, "--set", &format!("namespace={namespace}"), "--show-only", ELECTION];
        let role = rendered(&more).into_iter().find(|object| object.types.as_ref().unwrap().kind == "Role");
        let role: Role = role.expect("the chart has a Role for the election").try_parse().unwrap();
        let metadata = ObjectMeta { name: Some("election".to_owned()), ..ObjectMeta::default() };
        let rules = Role { metadata, ..role };
        let patch = PatchParams::apply("test").force();
        self.api::<Role>().patch("election", &patch, &Patch::Apply(rules)).await.unwrap();
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": format!("election-{name}") },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "election" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.user(Some(name)) }],
        });
        let bindings = self.api::<RoleBinding>();
        bindings.patch(&format!("election-{name}"), &patch, &Patch::Apply(binding)).await.unwrap();
    }

    /// The admission policies of the chart for an operator of this namespace, or what else `template` has.
    pub(crate) fn rendered(&self, template: &str, more: &[&str]) -> Vec<DynamicObject> {
        let namespace = &self.namespace;
        let values = format!(
            "namespace={namespace},fullnameOverride={ACCOUNT},build.namespace={}",
            self.build_namespace()
        );
        let fixed =
            ["--namespace", namespace, "--api-versions", POLICIES, "--set", &values, "--show-only", template];
        rendered(&[&fixed, more].concat())
    }

    /// Installs objects of the whole cluster or of any namespace.
    pub(crate) async fn install(&self, objects: &[DynamicObject]) {
        for object in objects {
            apply(&self.client, object).await;
        }
    }

    /// Revokes that right.
    pub(crate) async fn forbid_election(&self, name: &str) {
        self.delete::<RoleBinding>(&format!("election-{name}")).await;
    }
}

async fn apply(client: &Client, object: &DynamicObject) {
    let types = object.types.as_ref().expect("kind");
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).expect("apiVersion"));
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.patch(&object.name_any(), &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
}

use serde::Deserialize as _;
