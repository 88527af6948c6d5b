//! Waiting for many objects at once, by watch. It decides nothing about what is waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, select_all};
use kube::runtime::reflector::store;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::{Kind, World};

impl World {
    /// Waits until the objects of a kind with these labels are as `is_so` says; panics with what they are instead.
    pub(crate) async fn until_labelled<K: Kind>(
        &self,
        labels: &str,
        what: &str,
        is_so: impl Fn(&[K]) -> bool,
    ) -> Vec<K> {
        let (reader, writer) = store::<K>();
        let mut events =
            pin!(watcher(self.api::<K>(), watcher::Config::default().labels(labels)).reflect(writer));
        let all = || reader.state().into_iter().map(Arc::unwrap_or_clone).collect::<Vec<K>>();
        let waited = async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                listed |= matches!(event.expect("a watch of the test"), watcher::Event::InitDone);
                let objects = all();
                if listed && is_so(&objects) {
                    return objects;
                }
            }
            unreachable!("a watch does not end by itself")
        };
        let waited = tokio::time::timeout(self.patience, waited).await;
        waited.unwrap_or_else(|_| {
            let there: Vec<_> = all().iter().map(|object| serde_json::to_value(object).unwrap()).collect();
            panic!("waited in vain for {} in {}: {what}; there is {there:#?}", K::plural(&()), self.namespace)
        })
    }

    /// A tick for every change of objects of a kind.
    pub(crate) fn changes<K: Kind>(&self) -> BoxStream<'static, ()> {
        watcher(self.api::<K>(), watcher::Config::default()).map(drop).boxed()
    }
}

/// Looks again and again, whenever one of `changes` ticks, until the look is as expected or patience is over; then
/// returns the last look that was not.
pub(crate) async fn until_equal<T: PartialEq, F: Future<Output = T>>(
    patience: Duration,
    changes: Vec<BoxStream<'static, ()>>,
    expected: &T,
    look: impl Fn() -> F,
) -> Result<(), T> {
    let mut changes = select_all(changes);
    let mut last = None;
    let waited = tokio::time::timeout(patience, async {
        loop {
            let there = look().await;
            if there == *expected {
                return;
            }
            last = Some(there);
            changes.next().await;
        }
    });
    let waited = waited.await;
    waited.or_else(|_| last.map_or(Ok(()), Err))
}
