//! Shared by all control-plane tests: a namespace, an operator with the rights of the chart, waits, and builds that end
//! as the test says. The test writes the pod status in place of a kubelet.

#[path = "harness/api.rs"]
#[allow(dead_code, reason = "only one test binary uses it")]
pub(crate) mod api;
#[path = "harness/audit.rs"]
pub(crate) mod audit;
#[path = "../harness/audit_log.rs"]
mod audit_log;
#[path = "harness/builds.rs"]
pub(crate) mod builds;
#[path = "harness/cleanups.rs"]
pub(crate) mod cleanups;
#[path = "harness/door.rs"]
pub(crate) mod door;
#[path = "harness/inits.rs"]
#[allow(dead_code, reason = "only one test binary uses some of it")]
pub(crate) mod inits;
#[path = "../harness/namespaced.rs"]
pub(crate) mod namespaced;
#[path = "harness/operator.rs"]
pub(crate) mod operator;
#[path = "harness/person.rs"]
pub(crate) mod person;
#[path = "harness/picture.rs"]
pub(crate) mod picture;
#[path = "harness/process.rs"]
pub(crate) mod process;
#[path = "harness/reading.rs"]
pub(crate) mod reading;
#[path = "harness/registry.rs"]
#[allow(dead_code, reason = "only one test binary uses it")]
pub(crate) mod registry;
#[path = "harness/server_process.rs"]
#[allow(dead_code, reason = "only one test binary uses it")]
pub(crate) mod server_process;
#[path = "harness/setup.rs"]
mod setup;
#[path = "harness/stories.rs"]
#[allow(dead_code, reason = "only one test binary uses some of them")]
pub(crate) mod stories;
#[path = "harness/watch.rs"]
mod watch;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

pub(crate) use builds::Built;
pub(crate) use namespaced::{Kind, Namespaced};
pub(crate) use operator::{Operator, Options};
pub(crate) use picture::Picture;

/// Longest wait for any expected event. Only a failing test waits that long, and a machine may stall for a while.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// Deadline of a good version in seconds. It must survive a stall of the machine.
const DEADLINE: u32 = 600;
/// The namespace of one test. It is deleted, without waiting, when the test succeeds.
pub(crate) struct World {
    objects: Namespaced,
    left: bool,
}

impl Deref for World {
    type Target = Namespaced;

    fn deref(&self) -> &Namespaced {
        &self.objects
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Namespaced {
        &mut self.objects
    }
}

impl World {
    /// Creates a namespace. The first caller also installs the CRD and the rights from the chart.
    pub(crate) async fn new(test: &str) -> Self {
        let client = setup::client().await;
        let random = doce_operator::version::text_digest(&format!(
            "{test} {:?} {}",
            std::time::Instant::now(),
            std::process::id()
        ));
        let prefix: String = test.replace('_', "-").chars().take(40).collect();
        Self::named(client, format!("{}-{}", prefix.trim_matches('-'), &random[..6])).await
    }

    async fn named(client: Client, namespace: String) -> Self {
        let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { objects: Namespaced { namespace, client, patience: PATIENCE }, left: false }
    }

    /// Creates the namespace of builder pods for operators of this namespace.
    pub(crate) async fn builds(&self) -> Self {
        Self::named(self.client.clone(), self.build_namespace()).await
    }

    /// Deletes the namespace without waiting for its end. Many lives share a thread, so a drop must not block it.
    pub(crate) async fn leave(mut self) {
        self.left = true;
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let params = DeleteParams::background();
        let deleted = namespaces.delete(&self.namespace, &params);
        let _ = tokio::time::timeout(PATIENCE, deleted).await;
    }

    /// Applies a `ProjectDeployment` as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> ProjectDeployment {
        self.try_apply(name, spec).await.unwrap()
    }

    /// Like [`World::apply`], but returns the API server's rejection.
    pub(crate) async fn try_apply(&self, name: &str, spec: Value) -> Result<ProjectDeployment, kube::Error> {
        self.try_apply_object(name, json!({ "spec": spec })).await
    }

    /// Expires the deadline of the running version, whatever its project requests: the operator takes it from the
    /// Deployment.
    pub(crate) async fn time_is_over(&self, name: &str) {
        self.patch::<Deployment>(name, json!({ "spec": { "progressDeadlineSeconds": 2 } })).await;
    }

    /// Waits until Ready is `status` with `reason` for the newest generation.
    pub(crate) async fn until_ready(&self, name: &str, status: &str, reason: &str) -> ProjectDeployment {
        let (status, reason) = (status.to_owned(), reason.to_owned());
        let what = format!("Ready={status}/{reason}");
        self.until(name, &what, move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| is(object, "Ready", &status, &reason))
        })
        .await
    }

    /// Waits until this version is live and Ready reports it.
    pub(crate) async fn until_serving(&self, name: &str, version: &str) -> ProjectDeployment {
        let version = version.to_owned();
        let what = format!("{version} serves");
        self.until(name, &what, move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let status = object.status.clone().unwrap_or_default();
                let ready = condition(object, "Ready").is_some_and(|ready| ready.status == "True");
                ready
                    && status.version.as_deref() == Some(version.as_str())
                    && status.observed_generation == object.metadata.generation.unwrap_or(0)
            })
        })
        .await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.left || std::thread::panicking() {
            return; // Keep the namespace of a failed test for inspection.
        }
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let deleted = async { namespaces.delete(&self.namespace, &DeleteParams::background()).await };
        let _ = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(deleted));
    }
}

/// A condition of the newest status.
pub(crate) fn condition(
    object: &ProjectDeployment,
    kind: &str,
) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    object.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind).cloned()
}

/// True if a condition has this status and reason for the newest generation.
pub(crate) fn is(object: &ProjectDeployment, kind: &str, status: &str, reason: &str) -> bool {
    condition(object, kind).is_some_and(|condition| {
        condition.status == status
            && condition.reason == reason
            && condition.observed_generation == object.metadata.generation
    })
}

/// A spec with a prebuilt image by digest, so nothing is built. Each `n` is another version.
pub(crate) fn prebuilt(n: u8) -> Value {
    json!({
        "source": { "image": { "reference": format!("registry.test/app@sha256:{}", format!("{n:02x}").repeat(32)) } },
        "rollout": { "minReadySeconds": 1, "deadlineSeconds": DEADLINE },
    })
}

/// A spec with a commit, whose record exists before the build. Each `n` is another version.
pub(crate) fn commit(n: u8) -> Value {
    json!({
        "source": { "git": { "url": "https://git.test/app.git", "ref": { "commit": format!("{n:02x}").repeat(20) } } },
        "rollout": { "minReadySeconds": 1, "deadlineSeconds": DEADLINE },
    })
}

/// A spec with a branch, which needs a lookup Job.
pub(crate) fn branch(name: &str) -> Value {
    json!({
        "source": { "git": { "url": "https://git.test/app.git", "ref": { "branch": name } } },
        "rollout": { "minReadySeconds": 1, "deadlineSeconds": DEADLINE },
    })
}

/// The same spec with pods whose status the test writes, and a distant deadline.
pub(crate) fn by_hand(spec: Value) -> Value {
    let mut spec = behaving(spec, "manual");
    spec["rollout"]["deadlineSeconds"] = json!(600);
    spec
}

/// The same spec with an environment variable that tells kwok how the pods behave: `crash`, `never-ready` and so on. A
/// crashing version fails long before its deadline, so it gets a long one. The others get a short one.
pub(crate) fn behaving(mut spec: Value, how: &str) -> Value {
    spec["rollout"]["deadlineSeconds"] = json!(if how.contains("crash") { 3600 } else { 10 });
    spec["run"]["env"] = json!([{ "name": "TEST_POD", "value": how }]);
    spec
}
