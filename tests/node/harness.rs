//! Shared by all node tests: the operator installed by Helm, a namespace per test, waits by watch.

use std::any::Any;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use doce_operator::crd::{ProjectDeployment, ProjectDeploymentStatus};
use doce_operator::protocol::registry_token::AUDIENCE;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, RwLock};

use crate::authority::authority;
use crate::repository::variable;

#[path = "../harness/namespaced.rs"]
#[allow(dead_code, reason = "the control-plane tests use the rest")]
pub(crate) mod namespaced;

pub(crate) use namespaced::{Kind, Namespaced};

/// Longest wait for anything that includes a build. Only a failing test waits that long, and a machine may stall for a
/// while.
pub const PATIENCE: Duration = Duration::from_mins(30);
/// Default deadline of a version in these tests, in seconds. With the API's default, a slow start of a good version
/// could fail.
const DEADLINE: u32 = 1800;

static INSTALLED: OnceCell<()> = OnceCell::const_new();
/// Tests that do not change operator, registry or node share it. Other tests hold it alone.
static CLUSTER: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// The namespace of one test.
pub(crate) struct World {
    objects: Namespaced,
    /// Address of the node ports.
    pub address: String,
    /// Its hold on the cluster, shared by all namespaces of a test.
    hold: Arc<dyn Any + Send + Sync>,
}

impl Deref for World {
    type Target = Namespaced;

    fn deref(&self) -> &Namespaced {
        &self.objects
    }
}

impl World {
    /// Creates a namespace for a test that runs beside others. The first caller installs the operator.
    pub async fn new(namespace: &str) -> Self {
        Self::held(namespace, Arc::new(CLUSTER.clone().read_owned().await)).await
    }

    /// Creates a namespace for a test that needs the cluster alone: it changes operator, registry or node, or it counts
    /// concurrent events.
    pub async fn undisturbed(namespace: &str) -> Self {
        Self::held(namespace, Arc::new(CLUSTER.clone().write_owned().await)).await
    }

    /// Creates another namespace for the same test.
    pub async fn another(&self, namespace: &str) -> Self {
        Self::held(namespace, self.hold.clone()).await
    }

    async fn held(namespace: &str, hold: Arc<dyn Any + Send + Sync>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_default()
            .await
            .expect("KUBECONFIG: start these tests with `doce-cluster with node --`");
        INSTALLED.get_or_init(|| async { install() }).await;
        let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        let objects = Namespaced { namespace: namespace.to_owned(), client, patience: PATIENCE };
        Self { objects, address: variable("DOCE_NODE_ADDRESS"), hold }
    }

    /// Address of the embedded registry in the cluster, by port name (registry, read).
    pub async fn registry(&self, port: &str) -> String {
        let services = Api::<Service>::namespaced(self.client.clone(), "doce-system");
        let service = services.get("doce-doce-operator-registry").await.unwrap().spec.unwrap();
        let mut ports = service.ports.into_iter().flatten();
        let port = ports.find(|there| there.name.as_deref() == Some(port)).unwrap().port;
        format!("{}:{port}", service.cluster_ip.unwrap())
    }

    /// A token of this namespace for the embedded registry, as `kubectl create token default --audience doce-registry`
    /// prints it.
    pub async fn registry_token(&self) -> String {
        self.token("default", AUDIENCE, None).await
    }

    /// Applies an object of any kind, like `kubectl apply --server-side`.
    pub async fn apply<K: Kind>(&self, name: &str, object: Value) -> K {
        self.try_apply_object(name, object).await.unwrap()
    }

    /// Applies a project. If the spec has no deadline, it gets one that only a bad version misses.
    pub async fn deploy(&self, name: &str, spec: &Value) -> ProjectDeployment {
        let mut spec = spec.clone();
        if spec["rollout"]["deadlineSeconds"].is_null() {
            spec["rollout"]["deadlineSeconds"] = json!(DEADLINE);
        }
        self.apply(name, json!({ "spec": spec })).await
    }

    /// Waits, by watch, for any object of a kind that meets a condition.
    pub async fn until_any<K: Kind>(&self, what: &str, so: impl Fn(&K) -> bool) -> K {
        let events = watcher(self.api::<K>(), watcher::Config::default()).default_backoff();
        let mut objects = std::pin::pin!(events.applied_objects());
        let waited = tokio::time::timeout(PATIENCE, async {
            while let Some(object) = objects.next().await {
                if let Some(object) = object.ok().filter(|object| so(object)) {
                    return object;
                }
            }
            panic!("the watch ended");
        });
        if let Ok(object) = waited.await {
            return object;
        }
        let last = self.list::<K>().await.into_iter().find(|object| so(object));
        last.unwrap_or_else(|| panic!("timed out: {what}"))
    }

    /// Waits until a status of the newest generation passes `test`.
    pub async fn until_status(
        &self,
        name: &str,
        what: &str,
        test: impl Fn(&ProjectDeploymentStatus) -> bool + Send,
    ) -> ProjectDeploymentStatus {
        let current = |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let status = object.status.clone().unwrap_or_default();
                Some(status.observed_generation) == object.metadata.generation && test(&status)
            })
        };
        self.until(name, what, current).await.status.unwrap()
    }

    /// Waits until it serves. A failure ends the test at once with its message.
    pub async fn until_ready(&self, name: &str) -> ProjectDeploymentStatus {
        let over = |status: &_| holds(status, "Ready") || holds(status, "Stalled");
        let status = self.until_status(name, "it serves or fails", over).await;
        assert!(holds(&status, "Ready"), "{name}: {:?}", status.failure);
        status
    }

    /// Waits until the commit with this message serves and Ready is True.
    pub async fn until_serves(&self, name: &str, message: &str) -> ProjectDeploymentStatus {
        self.until_status(name, &format!("{message:?} serves"), |status| {
            let source = status.source.as_ref().and_then(|source| source.message.as_deref());
            ready(status).is_some_and(|(truth, _)| truth == "True") && source == Some(message)
        })
        .await
    }
}

/// Status and reason of Ready.
pub fn ready(status: &ProjectDeploymentStatus) -> Option<(String, String)> {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some((ready.status.clone(), ready.reason.clone()))
}

/// True if a condition is True.
pub fn holds(status: &ProjectDeploymentStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

/// True if Ready is False for this reason, the failure contains these words, and the operator retries.
pub fn is_at_fault(status: &ProjectDeploymentStatus, reason: &str, words: &str) -> bool {
    let named = status.failure.as_ref().is_some_and(|failure| failure.message.contains(words));
    ready(status) == Some(("False".into(), reason.into())) && named && holds(status, "Reconciling")
}

/// Installs the chart as the README says, with the addresses of this cluster. One process at a time: Helm rejects
/// concurrent operations on a release.
fn install() {
    let lock = std::fs::File::create(Path::new(&variable("DOCE_CLUSTER_DIR")).join("helm.lock")).unwrap();
    lock.lock().unwrap();
    let (repository, tag) = variable("DOCE_OPERATOR_IMAGE")
        .rsplit_once(':')
        .map(|(name, tag)| (name.to_owned(), tag.to_owned()))
        .unwrap();
    let mut values = json!({
        "image": { "repository": repository, "tag": tag },
        "nodeAddress": variable("DOCE_NODE_ADDRESS"),
        "retrySeconds": 2,
        // The node of the tests has two cores, and a test that fills its disk must not need much of it.
        "build": { "limit": 2, "resources": { "limits": { "ephemeral-storage": "3Gi" } }, "buildkitImage": variable("DOCE_BUILDKIT_IMAGE"), "mirror": variable("DOCE_MIRROR") },
    });
    let bundles = std::env::var_os("DOCE_CA_BUNDLE").map(PathBuf::from).into_iter();
    let bundles = bundles.chain([authority().certificate()]);
    let bundle: String = bundles.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    values["build"]["caBundle"] = json!(bundle);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    helm(&["--install", "--create-namespace", "--values", &file.display().to_string()]);
}

/// Upgrades the release with these arguments, keeps earlier values, and waits until it is ready.
pub fn helm(arguments: &[&str]) {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/doce-operator");
    let mut helm = Command::new("helm");
    helm.args(["upgrade", "doce"])
        .arg(chart)
        .args(["--namespace", "doce-system", "--wait", "--timeout", "15m", "--reset-then-reuse-values"])
        .args(arguments);
    let output = helm.output().expect("doce-cluster provides helm");
    assert!(
        output.status.success() || std::thread::panicking(),
        "helm: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
