//! The one watch of projects, which serves all listeners. It uses the server's own rights.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::core::{ApiResource, Resource as _};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;

use super::metrics::Metrics;
use super::store::Store;
use crate::crd::ProjectDeployment;

/// Objects of a page of the list. A page is in memory at once.
const PAGE: u32 = 10;

/// Seconds after which the API server ends the watch and we continue it. A dead connection is noticed by then.
const SECONDS: u32 = 60;

/// Longest wait for a write to come back from the watch.
const WRITTEN: Duration = Duration::from_secs(2);

/// The projects that the server holds.
pub(super) struct Projects {
    store: Mutex<Store>,
    /// The first list is complete.
    ready: watch::Sender<bool>,
    /// Marked after each change of the store.
    changed: watch::Sender<()>,
    /// The only namespace that the server serves; empty: all.
    pub(super) namespace: String,
}

impl Projects {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            store: Mutex::default(),
            ready: watch::Sender::new(false),
            changed: watch::Sender::new(()),
            namespace,
        }
    }

    /// The projects as they are.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first list is complete.
    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// The server serves this namespace.
    pub(super) fn serves(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace == namespace
    }

    fn take(&self, event: Event<DynamicObject>, metrics: &Metrics) {
        let mut store = self.store();
        let kind = match event {
            Event::Init => {
                metrics.watch_began();
                store.list_begins();
                "list"
            }
            Event::InitApply(object) => {
                store.list_has(value(&object));
                "listed"
            }
            Event::InitDone => {
                store.list_ends();
                self.ready.send_replace(true);
                "complete"
            }
            Event::Apply(object) => {
                store.apply(value(&object));
                "changed"
            }
            Event::Delete(object) => {
                store.delete(value(&object));
                "deleted"
            }
        };
        metrics.watched(kind, store.len());
        drop(store);
        self.changed.send_replace(());
    }

    /// Waits a moment until the store has what the caller wrote, so that its next read has it.
    pub(super) async fn until(&self, has: impl Fn(&Store) -> bool) {
        let mut changed = self.changed.subscribe();
        let waits = async {
            while !has(&self.store()) {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(WRITTEN, waits).await; // The write is done: a slow watch does not make it fail.
    }
}

/// The resource of projects, without its types: one object that cannot be read must not end the watch.
pub(super) fn resource() -> ApiResource {
    ApiResource::erase::<ProjectDeployment>(&())
}

fn value(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    // Objects of a list have no types of their own.
    value["apiVersion"] = ProjectDeployment::api_version(&()).into();
    value["kind"] = ProjectDeployment::kind(&()).into();
    value
}

/// Watches until it is dropped.
pub(super) async fn run(client: Client, projects: Arc<Projects>, metrics: Arc<Metrics>) {
    let api: Api<DynamicObject> = match projects.namespace.as_str() {
        "" => Api::all_with(client, &resource()),
        namespace => Api::namespaced_with(client, namespace, &resource()),
    };
    let config = Config::default().page_size(PAGE).timeout(SECONDS);
    let mut events = pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => projects.take(event, &metrics),
            Err(error) => tracing::warn!(%error, "the watch of projects failed, restarting it"),
        }
    }
}
