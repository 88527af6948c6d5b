use futures::stream;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;

fn project(name: &str) -> ProjectDeployment {
    let metadata = json!({ "name": name, "namespace": "n", "uid": name, "resourceVersion": "1" });
    let spec = json!({ "source": { "configMap": { "name": "site" } } });
    let kind = ("doce.dev/v1alpha1", "ProjectDeployment");
    serde_json::from_value(
        json!({ "apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": spec }),
    )
    .unwrap()
}

fn child<K: DeserializeOwned>(project: &str) -> K {
    let labels = json!({ names::PROJECT: project });
    let metadata = json!({ "name": project, "namespace": "n", "uid": project, "labels": labels, "resourceVersion": "2" });
    serde_json::from_value(json!({ "metadata": metadata, "revision": 1 })).unwrap()
}

/// Caches that receive events.
struct Fed {
    caches: Caches,
    changed: mpsc::Sender<Key>,
    _news: mpsc::Receiver<Key>,
}

impl Fed {
    async fn projects(&self, events: Vec<Event<ProjectDeployment>>) {
        let hear = |event: Event<ProjectDeployment>| {
            self.caches.projects.heard(&event);
            self.caches.resources.heard(event)
        };
        self.caches.feed(stream::iter(events), hear, &self.changed).await;
    }

    async fn deployments(&self, events: Vec<Event<Deployment>>) {
        self.caches
            .feed(stream::iter(events), |event| self.caches.deployments.heard(event), &self.changed)
            .await;
    }

    async fn services(&self, events: Vec<Event<Service>>) {
        self.caches
            .feed(stream::iter(events), |event| self.caches.services.heard(event), &self.changed)
            .await;
    }

    fn lost(&self, name: &str) -> bool {
        let key = ("n".to_owned(), name.to_owned());
        self.caches.missed().iter().any(|cache| cache.lost_child(&key))
    }
}

fn fed() -> Fed {
    let (changed, news) = mpsc::channel(4096);
    Fed { caches: Caches::default(), changed, _news: news }
}

#[tokio::test]
async fn deleted_projects_leave_nothing_in_memory() {
    let fed = fed();
    fed.projects(vec![Event::Init, Event::InitDone]).await;
    let before = fed.caches.held();
    for number in 0..300 {
        let name = format!("p{number}");
        fed.projects(vec![Event::Apply(project(&name))]).await;
        fed.deployments(vec![Event::Apply(child(&name))]).await;
        fed.services(vec![Event::Apply(child(&name))]).await;
        let key = ("n".to_owned(), name.clone());
        fed.caches.config_maps.known(&("n".to_owned(), name.clone()), &key);
        fed.deployments(vec![Event::Delete(child(&name))]).await;
        assert!(fed.lost(&name), "its project may be gone: the next pass reads it");
        fed.projects(vec![Event::Delete(project(&name))]).await;
        fed.services(vec![Event::Delete(child(&name))]).await;
    }
    assert_eq!(fed.caches.held(), before);
}

#[tokio::test]
async fn what_was_lost_while_projects_were_listed_is_kept_for_those_that_exist() {
    let fed = fed();
    fed.deployments(vec![
        Event::Init,
        Event::InitApply(child("a")),
        Event::InitApply(child("b")),
        Event::InitDone,
    ])
    .await;
    fed.projects(vec![Event::Init, Event::InitApply(project("a"))]).await;
    fed.deployments(vec![Event::Delete(child("a")), Event::Delete(child("b"))]).await;
    assert!(fed.lost("a") && fed.lost("b"), "the list may still have it");
    fed.projects(vec![Event::InitDone]).await;
    assert!(fed.lost("a") && !fed.lost("b"));
}
