//! Failed health checks that kubelets reported: the last sentence for each pod (docs/decisions/0035). Nothing here
//! talks to the API server. No decision uses it, only messages.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::runtime::watcher;

use crate::desired::names;
use crate::project::Key;
use crate::text::bounded;

/// Most pods whose sentence is kept. They may include foreign pods with the same container name.
const PODS: usize = 4096;

/// Longest sentence in bytes.
const SENTENCE: usize = 512;

/// The last sentence of each pod, by its uid.
#[derive(Debug, Default)]
pub struct ProbeEvents {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    said: HashMap<String, Said>,
    /// Sentences of a list in progress.
    listed: Option<HashMap<String, Said>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    project: Key,
    sentence: String,
    at: Timestamp,
}

/// Field selector for Events about failed health checks.
pub(super) fn selector() -> String {
    format!(
        "reason=Unhealthy,involvedObject.kind=Pod,involvedObject.fieldPath=spec.containers{{{}}}",
        names::APP
    )
}

impl ProbeEvents {
    /// The last sentence about a pod and when the kubelet last reported it.
    pub fn of(&self, pod: &str) -> Option<(String, Timestamp)> {
        self.lock().said.get(pod).map(|said| (said.sentence.clone(), said.at))
    }

    /// How many sentences it holds.
    pub fn held(&self) -> usize {
        self.lock().said.len()
    }

    /// Applies a watch event and returns the projects with a new sentence.
    pub fn heard(&self, event: watcher::Event<Event>) -> Vec<Key> {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        let mut inner = self.lock();
        match event {
            Apply(event) => {
                let Some((pod, said)) = read(&event) else { return vec![] };
                put(&mut inner.said, pod, said).into_iter().collect()
            }
            Delete(event) => {
                let Some((pod, gone)) = read(&event) else { return vec![] };
                if inner.said.get(&pod) == Some(&gone) {
                    inner.said.remove(&pod);
                }
                vec![]
            }
            Init => {
                inner.listed = Some(HashMap::new());
                vec![]
            }
            InitApply(event) => {
                if let (Some((pod, said)), Some(listed)) = (read(&event), inner.listed.as_mut()) {
                    put(listed, pod, said);
                }
                vec![]
            }
            InitDone => {
                let listed = inner.listed.take().unwrap_or_default();
                let before = std::mem::replace(&mut inner.said, listed);
                let same = |pod: &String, said: &Said| {
                    before.get(pod).is_some_and(|there| there.sentence == said.sentence)
                };
                let news = inner.said.iter().filter(|(pod, said)| !same(pod, said));
                news.map(|(_, said)| said.project.clone()).collect()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the newer sentence. Returns the project if the sentence changed.
fn put(sentences: &mut HashMap<String, Said>, pod: String, said: Said) -> Option<Key> {
    let before = sentences.get(&pod);
    if before.is_some_and(|before| before.at > said.at) {
        return None;
    }
    let news = before.is_none_or(|before| before.sentence != said.sentence).then(|| said.project.clone());
    if before.is_none() && sentences.len() >= PODS {
        let oldest = sentences.iter().min_by_key(|(_, said)| said.at).map(|(pod, _)| pod.clone());
        oldest.and_then(|oldest| sentences.remove(&oldest));
    }
    sentences.insert(pod, said);
    news
}

fn read(event: &Event) -> Option<(String, Said)> {
    let about = &event.involved_object;
    let series = event.series.as_ref().and_then(|series| Some(series.last_observed_time.as_ref()?.0));
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let said = Said {
        project: (about.namespace.clone()?, project_of(about.name.as_deref()?)?.to_owned()),
        sentence: bounded(event.message.as_deref()?, SENTENCE),
        at: series.or(last).or(first).or(created)?,
    };
    Some((about.uid.clone()?, said))
}

/// The Deployment of a pod such as `shop-5d4f9c7b6-x2x9q`; it has the name of its project.
fn project_of(pod: &str) -> Option<&str> {
    pod.rsplitn(3, '-').nth(2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(pod: &str, uid: &str, sentence: &str, second: u8) -> Event {
        serde_json::from_value(json!({
            "metadata": { "name": format!("{pod}.{second}"), "namespace": "n" },
            "involvedObject": { "kind": "Pod", "namespace": "n", "name": pod, "uid": uid },
            "reason": "Unhealthy", "message": sentence, "lastTimestamp": format!("2026-11-28T18:00:{second:02}Z"),
        }))
        .unwrap()
    }

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    #[test]
    fn the_newest_message_of_a_pod_is_kept_and_only_a_new_message_is_announced() {
        let probe_events = ProbeEvents::default();
        let hear = |sentence, second| {
            probe_events.heard(watcher::Event::Apply(event("my-shop-5d4f9-x2x9q", "u", sentence, second)))
        };
        assert_eq!(hear("refused", 1), [key("my-shop")]);
        assert!(hear("refused", 2).is_empty(), "only its count increased");
        assert_eq!(hear("401", 3), [key("my-shop")]);
        assert!(hear("refused", 2).is_empty(), "it is older than the kept message");
        let (sentence, at) = probe_events.of("u").unwrap();
        assert_eq!((sentence.as_str(), at.to_string().as_str()), ("401", "2026-11-28T18:00:03Z"));
        probe_events.heard(watcher::Event::Delete(event("my-shop-5d4f9-x2x9q", "u", "refused", 2)));
        assert!(probe_events.of("u").is_some(), "the Event before it expired");
        probe_events.heard(watcher::Event::Delete(event("my-shop-5d4f9-x2x9q", "u", "401", 3)));
        assert_eq!(probe_events.of("u"), None);
    }

    #[test]
    fn a_relist_replaces_all_messages_and_announces_the_new_ones() {
        let probe_events = ProbeEvents::default();
        for (uid, sentence) in [("a", "same"), ("b", "old"), ("c", "gone")] {
            probe_events.heard(watcher::Event::Apply(event(&format!("{uid}-1-2"), uid, sentence, 1)));
        }
        probe_events.heard(watcher::Event::Init);
        for (uid, sentence) in [("a", "same"), ("b", "new")] {
            probe_events.heard(watcher::Event::InitApply(event(&format!("{uid}-1-2"), uid, sentence, 2)));
        }
        assert_eq!(probe_events.heard(watcher::Event::InitDone), [key("b")]);
        assert_eq!(probe_events.of("c"), None);
    }

    #[test]
    fn the_memory_is_bounded_and_drops_the_oldest_first() {
        let probe_events = ProbeEvents::default();
        for pod in 0..=PODS {
            let second = u8::from(pod > 0);
            let long = "x".repeat(5000);
            probe_events.heard(watcher::Event::Apply(event("p-1-2", &pod.to_string(), &long, second)));
        }
        assert_eq!(probe_events.lock().said.len(), PODS);
        assert_eq!(probe_events.of("0"), None);
        assert!(probe_events.of("1").unwrap().0.len() <= SENTENCE);
    }
}
