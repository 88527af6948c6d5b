//! Shared by the tests on a control plane and on a node: the objects of one namespace, and waits by watch.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longest duration of one watch of a test.
const WATCH: Duration = Duration::from_secs(30);
/// Pause between a failed watch and the next one.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// A namespaced kind.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + 'static
{
}
impl<
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + 'static,
> Kind for K
{
}

/// The objects of one namespace.
pub(crate) struct Namespaced {
    /// Name of the namespace.
    pub(crate) namespace: String,
    /// An administrator's client.
    pub(crate) client: Client,
    /// Longest wait for any expected event.
    pub(crate) patience: Duration,
}

impl Namespaced {
    /// The API of a kind in this namespace.
    pub(crate) fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Reads the object with this name.
    pub(crate) async fn get<K: Kind>(&self, name: &str) -> K {
        self.api::<K>().get(name).await.unwrap()
    }

    /// Lists all objects of a kind, ordered by name.
    pub(crate) async fn list<K: Kind>(&self) -> Vec<K> {
        let mut items = self.api::<K>().list(&ListParams::default()).await.unwrap().items;
        items.sort_by_key(ResourceExt::name_any);
        items
    }

    /// Applies an object of any kind, like `kubectl apply --server-side`, or returns the API server's rejection.
    pub(crate) async fn try_apply_object<K: Kind>(
        &self,
        name: &str,
        mut object: Value,
    ) -> Result<K, kube::Error> {
        object["apiVersion"] = json!(K::api_version(&()));
        object["kind"] = json!(K::kind(&()));
        object["metadata"]["name"] = json!(name);
        self.api::<K>().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await
    }

    /// Makes the namespace admit only pods of this Pod Security level from now on.
    pub(crate) async fn enforces(&self, level: &str) {
        let label = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": level } } });
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.patch(&self.namespace, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    }

    /// A token of a `ServiceAccount` of this namespace, which is created if it does not exist. `bound` is a pod that the
    /// token ends with.
    pub(crate) async fn token(&self, account: &str, audience: &str, bound: Option<&str>) -> String {
        if account == "default" {
            self.until::<ServiceAccount>(account, "it exists", |it: Option<&ServiceAccount>| it.is_some())
                .await;
        } else {
            self.try_apply_object::<ServiceAccount>(account, json!({})).await.unwrap();
        }
        let bound = bound.map(|pod| json!({ "kind": "Pod", "apiVersion": "v1", "name": pod }));
        let spec = json!({ "spec": { "audiences": [audience], "boundObjectRef": bound } });
        let request: TokenRequest = serde_json::from_value(spec).unwrap();
        let accounts = self.api::<ServiceAccount>();
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        made.status.unwrap().token
    }

    /// Sets an annotation of a `ProjectDeployment`, like `kubectl annotate --overwrite`.
    pub(crate) async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        let patch = json!({ "metadata": { "annotations": { annotation: value } } });
        self.patch::<ProjectDeployment>(name, patch).await;
    }

    /// Applies a merge patch as a user.
    pub(crate) async fn patch<K: Kind>(&self, name: &str, patch: Value) -> K {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// Deletes an object without waiting.
    pub(crate) async fn delete<K: Kind>(&self, name: &str) {
        let _ = self.api::<K>().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Waits, by watch, until the object with this name meets `condition`. Panics with the object otherwise.
    pub(crate) async fn until<K: Kind>(&self, name: &str, what: &str, condition: impl Condition<K>) -> K {
        self.until_within(self.patience, name, what, condition).await
    }

    /// Like `until`, with another timeout.
    pub(crate) async fn until_within<K: Kind>(
        &self,
        patience: Duration,
        name: &str,
        what: &str,
        condition: impl Condition<K>,
    ) -> K {
        // The object is returned, so its absence never ends the wait.
        let holds = |object: Option<&K>| object.is_some() && condition.matches_object(object);
        match self.watched(patience, name, holds).await {
            Ok(Some(object)) => object,
            there => panic!("timed out waiting for {} {name}: {what}; it is {there:#?}", K::kind(&())),
        }
    }

    /// Waits until no object has this name.
    pub(crate) async fn until_gone<K: Kind>(&self, name: &str) {
        let waited = self.watched(self.patience, name, |object: Option<&K>| object.is_none()).await;
        assert!(waited.is_ok(), "timed out waiting for {} {name} to be deleted: {waited:#?}", K::kind(&()));
    }

    /// Waits for a condition and restarts a watch that fails or hangs on a busy machine. After the timeout, a final read
    /// decides and becomes the error.
    async fn watched<K: Kind>(
        &self,
        patience: Duration,
        name: &str,
        holds: impl Fn(Option<&K>) -> bool,
    ) -> Result<Option<K>, Value> {
        let begun = Instant::now();
        while let Some(left) = patience.checked_sub(begun.elapsed()) {
            let holds = |object: Option<&K>| holds(object);
            let watched = Box::pin(await_condition(self.api::<K>(), name, holds));
            match tokio::time::timeout(left.min(WATCH), watched).await {
                Ok(Ok(there)) => return Ok(there),
                Ok(Err(_)) => tokio::time::sleep(PAUSE).await,
                Err(_) => {}
            }
        }
        let there = self.api::<K>().get_opt(name).await.map_err(|error| json!(error.to_string()))?;
        if holds(there.as_ref()) { Ok(there) } else { Err(serde_json::to_value(&there).unwrap()) }
    }
}
