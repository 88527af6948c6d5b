//! The order of a start: first the projects that have work, then all others.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::Notify;

use crate::cluster::Caches;
use crate::project::Key;

/// Longest time that the others wait. They may have work too, for example a child that was deleted during the downtime.
const LONGEST: Duration = Duration::from_secs(1);

/// The projects that go first, until their first pass ends.
#[derive(Debug, Default)]
pub(super) struct FirstPasses {
    left: Mutex<HashSet<Key>>,
    ended: Notify,
}

impl FirstPasses {
    /// Notes that a pass of this project ended.
    pub(super) fn ended(&self, key: &Key) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.remove(key) && left.is_empty() {
            self.ended.notify_one();
        }
    }

    async fn all_ended(&self) {
        let none = || self.left.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        while !none() {
            self.ended.notified().await;
        }
    }
}

/// These projects in the order of a start. The caller must report every pass that ends.
pub(super) fn in_order(
    caches: &Caches,
    projects: Vec<Key>,
) -> (Arc<FirstPasses>, impl Stream<Item = Key> + Send + use<>) {
    let (first, others): (Vec<Key>, Vec<Key>) =
        projects.into_iter().partition(|key| caches.resources.has_work(key));
    let passes =
        Arc::new(FirstPasses { left: Mutex::new(first.iter().cloned().collect()), ended: Notify::new() });
    let wait = passes.clone();
    let later = async move {
        let _ = tokio::time::timeout(LONGEST, wait.all_ended()).await;
        stream::iter(others)
    };
    (passes, stream::iter(first).chain(stream::once(later).flatten()))
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::crd::ProjectDeployment;

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    /// Caches with a project at rest and one whose status is about an older generation.
    fn caches() -> Caches {
        let caches = Caches::default();
        for (name, observed) in [("rests", 2), ("changed", 1)] {
            let project: ProjectDeployment = serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
                "metadata": { "name": name, "namespace": "n", "uid": name, "generation": 2, "resourceVersion": "1" },
                "spec": { "source": { "configMap": { "name": "site" } } },
                "status": { "observedGeneration": observed },
            }))
            .unwrap();
            caches.resources.heard(Event::Apply(project));
        }
        caches
    }

    #[tokio::test]
    async fn the_others_follow_when_the_first_had_their_pass() {
        let (passes, order) = in_order(&caches(), vec![key("rests"), key("changed")]);
        let mut order = std::pin::pin!(order);
        assert_eq!(order.next().await, Some(key("changed")));
        assert!(futures::poll!(order.next()).is_pending(), "it has not had its pass");
        passes.ended(&key("rests"));
        assert!(futures::poll!(order.next()).is_pending());
        passes.ended(&key("changed"));
        assert_eq!(order.next().await, Some(key("rests")));
        assert_eq!(order.next().await, None);
    }

    #[tokio::test]
    async fn the_others_follow_after_a_second_or_at_once_if_no_project_has_work() {
        let (_passes, order) = in_order(&caches(), vec![key("rests"), key("changed")]);
        let order: Vec<Key> = order.collect().await;
        assert_eq!(order, [key("changed"), key("rests")]);
        let (_passes, order) = in_order(&caches(), vec![key("rests")]);
        assert_eq!(futures::poll!(std::pin::pin!(order).next()), std::task::Poll::Ready(Some(key("rests"))));
    }
}
