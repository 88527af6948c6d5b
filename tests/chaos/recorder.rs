//! Watches every kind in the whole cluster with an undisturbed administrator's client, and keeps every version in the
//! namespaces that it follows. A gap in its record ends the campaign.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doce_operator::crd::ProjectDeployment;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::discovery::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::World;
use crate::history::{History, Version};

/// See the module.
pub(crate) struct Recorder {
    client: Client,
    followed: Arc<Followed>,
    /// The tasks end with the recorder.
    _watches: JoinSet<()>,
}

#[derive(Default)]
struct Followed {
    versions: Mutex<HashMap<String, Vec<Version>>>,
    heard: watch::Sender<u64>,
    holes: Mutex<Vec<String>>,
}

fn kinds() -> [ApiResource; 7] {
    [
        ApiResource::erase::<ProjectDeployment>(&()),
        ApiResource::erase::<ControllerRevision>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<ReplicaSet>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Job>(&()),
        ApiResource::erase::<Pod>(&()),
    ]
}

impl Recorder {
    /// Starts the watches.
    pub(crate) async fn start(client: Client) -> Self {
        let followed = Arc::<Followed>::default();
        let mut watches = JoinSet::new();
        for kind in kinds() {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            let list = api.list(&ListParams::default()).await.unwrap();
            let from = list.metadata.resource_version.unwrap();
            watches.spawn(listen(api, kind.plural, from, followed.clone()));
        }
        Self { client, followed, _watches: watches }
    }

    /// Keeps everything in this namespace from now on.
    pub(crate) fn follow(&self, namespace: &str) {
        self.followed.versions.lock().unwrap().insert(namespace.to_owned(), vec![]);
    }

    /// Returns the whole record of a namespace once the recorder is up to date, and forgets it.
    pub(crate) async fn take(&self, world: &World) -> History {
        let mut heard = self.followed.heard.subscribe();
        for kind in kinds() {
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &world.namespace, &kind);
            let there: BTreeMap<String, u64> = api
                .list(&ListParams::default())
                .await
                .unwrap()
                .iter()
                .map(|object| {
                    let at = object.resource_version().and_then(|at| at.parse().ok()).unwrap_or(0);
                    (object.uid().unwrap_or_default(), at)
                })
                .collect();
            let complete =
                heard.wait_for(|_| self.followed.has_heard(&world.namespace, &kind.plural, &there));
            let waited = tokio::time::timeout(world.patience, complete).await;
            waited.expect("the recorder lags").expect("the recorder runs");
        }
        let holes = self.followed.holes.lock().unwrap();
        assert!(holes.is_empty(), "the record has gaps: {holes:?}");
        let versions = self.followed.versions.lock().unwrap().remove(&world.namespace);
        History::new(versions.unwrap_or_default())
    }
}

impl Followed {
    fn hear(&self, resource: &str, object: &DynamicObject, gone: bool) {
        let namespace = object.namespace().unwrap_or_default();
        if let Some(kept) = self.versions.lock().unwrap().get_mut(&namespace) {
            kept.push(Version::new(resource, serde_json::to_value(object).unwrap(), gone));
        }
        self.heard.send_modify(|number| *number += 1);
    }

    /// Records every object of a list, in this version or a newer one, and the end of every other object.
    fn has_heard(&self, namespace: &str, resource: &str, there: &BTreeMap<String, u64>) -> bool {
        let versions = self.versions.lock().unwrap();
        let mut last: BTreeMap<&str, &Version> = BTreeMap::new();
        let kept = versions.get(namespace).into_iter().flatten();
        for version in kept.filter(|version| version.resource == resource) {
            last.insert(&version.uid, version);
        }
        let newest = |(uid, at): (&String, &u64)| last.get(uid.as_str()).is_some_and(|last| last.at >= *at);
        there.iter().all(newest) && last.values().all(|last| last.gone || there.contains_key(&last.uid))
    }
}

/// Records every event of a kind after version `from`. It continues an ended watch where it ended.
async fn listen(api: Api<DynamicObject>, resource: String, mut from: String, followed: Arc<Followed>) {
    loop {
        let Ok(events) = api.watch(&WatchParams::default(), &from).await else {
            tokio::time::sleep(Duration::from_millis(200)).await; // The API server is busy.
            continue;
        };
        let mut events = events.boxed();
        while let Some(Ok(event)) = events.next().await {
            let (object, gone) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(mark) => {
                    from = mark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => {
                    followed.holes.lock().unwrap().push(format!("{resource}: {status:?}"));
                    return;
                }
            };
            from = object.resource_version().unwrap_or_default();
            followed.hear(&resource, &object, gone);
        }
    }
}
