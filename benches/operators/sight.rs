//! One watch of all objects of a kind in a namespace. Callers wait for the first event of an object that meets a
//! condition, and get the time at which the watch reported it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Condition = Box<dyn Fn(&DynamicObject) -> bool + Send>;
type Waiting = Arc<Mutex<HashMap<String, Vec<(Condition, oneshot::Sender<Instant>)>>>>;

/// A running watch. Dropping it ends it.
pub(crate) struct Sight {
    kind: String,
    waiting: Waiting,
    task: JoinHandle<()>,
}

/// A wait that has begun. Begin it before the request whose effect it waits for.
pub(crate) struct Expected {
    what: String,
    seen: oneshot::Receiver<Instant>,
}

impl Sight {
    /// Starts a watch and waits until it is established.
    pub(crate) async fn open(client: &Client, namespace: &str, resource: &ApiResource) -> Self {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        let waiting = Waiting::default();
        let (opened, open) = oneshot::channel();
        let task = tokio::spawn(follow(api, Arc::clone(&waiting), opened));
        tokio::time::timeout(Duration::from_mins(2), open)
            .await
            .expect("a watch within two minutes")
            .unwrap();
        Self { kind: resource.kind.clone(), waiting, task }
    }

    /// Begins to wait for an event of this object, from now on, that meets the condition.
    pub(crate) fn expect(
        &self,
        name: &str,
        condition: impl Fn(&DynamicObject) -> bool + Send + 'static,
    ) -> Expected {
        let (found, seen) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap();
        waiting.entry(name.to_owned()).or_default().push((Box::new(condition), found));
        Expected { what: format!("{} {name}", self.kind), seen }
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Expected {
    /// The time of the event. Panics if there is none before the deadline.
    pub(crate) async fn by(self, deadline: Instant) -> Instant {
        let Self { what, seen } = self;
        let seen = tokio::time::timeout_at(deadline.into(), seen).await;
        seen.unwrap_or_else(|_| panic!("no event of {what} met the condition before the deadline")).unwrap()
    }
}

async fn follow(api: Api<DynamicObject>, waiting: Waiting, opened: oneshot::Sender<()>) {
    let mut opened = Some(opened);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        let now = Instant::now();
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => notify(&waiting, &object, now),
            Ok(Event::InitDone) => {
                if let Some(opened) = opened.take() {
                    let _ = opened.send(());
                }
            }
            Ok(Event::Init | Event::Delete(_)) => {}
            Err(error) => eprintln!("a watch of the benchmark restarts: {error}"),
        }
    }
}

fn notify(waiting: &Waiting, object: &DynamicObject, now: Instant) {
    let mut waiting = waiting.lock().unwrap();
    let name = object.name_any();
    let Some(list) = waiting.get_mut(&name) else { return };
    for (_, found) in list.extract_if(.., |(condition, _)| condition(object)) {
        let _ = found.send(now);
    }
    if list.is_empty() {
        waiting.remove(&name);
    }
}
