//! Kubernetes Events on the resource, which `kubectl describe` shows. kube's recorder merges repeats.

use kube::runtime::events::{Event, EventType, Recorder as Published, Reporter};
use kube::{Client, Resource as _};

use crate::crd::ProjectDeployment;

/// Longest note of an event, in bytes (events.k8s.io/v1).
const MAX_NOTE: usize = 1000;

/// One event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// A person should look at it.
    pub warning: bool,
    /// One CamelCase word.
    pub reason: String,
    /// What it is about, at most 128 characters.
    pub action: String,
    /// What happened and what to do.
    pub note: String,
}

/// Publishes events.
#[derive(Clone)]
pub struct Recorder(Published);

impl Recorder {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter {
            controller: crate::desired::names::MANAGER.to_owned(),
            instance: std::env::var("HOSTNAME").ok(),
        };
        Self(Published::new(client, reporter))
    }
}

impl super::Cluster {
    /// Publishes an event. A failure is only logged: it must not stop the loop.
    pub async fn publish(&self, object: &ProjectDeployment, happening: Happening) {
        let event = Event {
            type_: if happening.warning { EventType::Warning } else { EventType::Normal },
            reason: happening.reason,
            note: Some(crate::text::bounded(&happening.note, MAX_NOTE)),
            action: happening.action,
            secondary: None,
        };
        if let Err(error) = self.events.0.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(%error, reason = event.reason, "cannot publish an event");
        }
    }
}
