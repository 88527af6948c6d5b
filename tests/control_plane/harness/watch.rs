//! Waits for many objects at once, by watch. The caller decides on the condition.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, select_all};
use kube::api::ListParams;
use kube::runtime::reflector::store;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::{Kind, World};

impl World {
    /// Waits until the objects of a kind with these labels meet `is_so`. Panics with the objects otherwise.
    pub(crate) async fn until_labelled<K: Kind>(
        &self,
        labels: &str,
        what: &str,
        is_so: impl Fn(&[K]) -> bool,
    ) -> Vec<K> {
        let (reader, writer) = store::<K>();
        let events = watcher(self.api::<K>(), watcher::Config::default().labels(labels));
        let mut events = pin!(events.default_backoff().reflect(writer)); // Restarts after an error.
        let all = || reader.state().into_iter().map(Arc::unwrap_or_clone).collect::<Vec<K>>();
        let waited = async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                listed |= matches!(event, Ok(watcher::Event::InitDone));
                let objects = all();
                if listed && is_so(&objects) {
                    return objects;
                }
            }
            unreachable!("a watch never ends")
        };
        if let Ok(objects) = tokio::time::timeout(self.patience, waited).await {
            return objects;
        }
        let there = self.api::<K>().list(&ListParams::default().labels(labels)).await.unwrap().items;
        if is_so(&there) {
            return there; // The machine stalled until the timeout.
        }
        let there: Vec<_> = there.iter().map(|object| serde_json::to_value(object).unwrap()).collect();
        panic!("timed out waiting for {} in {}: {what}; there is {there:#?}", K::plural(&()), self.namespace)
    }

    /// Emits a tick for every change of objects of a kind.
    pub(crate) fn changes<K: Kind>(&self) -> BoxStream<'static, ()> {
        watcher(self.api::<K>(), watcher::Config::default()).default_backoff().map(drop).boxed()
    }
}

/// Calls `look` whenever one of `changes` ticks, until the result is as expected or time runs out. Then a final call
/// decides, and a differing result is returned.
pub(crate) async fn until_equal<T: PartialEq, F: Future<Output = T>>(
    patience: Duration,
    changes: Vec<BoxStream<'static, ()>>,
    expected: &T,
    look: impl Fn() -> F,
) -> Result<(), T> {
    let mut changes = select_all(changes);
    let waited = tokio::time::timeout(patience, async {
        while look().await != *expected {
            changes.next().await;
        }
    });
    if waited.await.is_ok() {
        return Ok(());
    }
    let there = look().await;
    if there == *expected { Ok(()) } else { Err(there) }
}
