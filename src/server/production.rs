//! What a project looks like to people who deploy it: state, address, error and running step, in the words that the HTTP API
//! uses. Pure.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::crd::annotations::{RequestKind, requests};
use crate::crd::status::{Phase, ProjectDeploymentStatus};

/// State of a project in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// No pods, because the project is stopped or scaled to 0.
    Stopped,
    /// A request or a build waits.
    Queued,
    /// A build or a rollout is in progress.
    Building,
    /// The wanted version serves.
    Running,
    /// The wanted version failed. Nothing more happens without you.
    Failed,
    /// Something outside the version failed. The operator retries.
    Error,
}

/// A step in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ActiveJob {
    /// production.build, production.start, production.waitReady or production.stop.
    #[serde(rename = "type")]
    #[schema(example = "production.build")]
    pub kind: &'static str,
    /// queued or running.
    #[schema(example = "running")]
    pub state: &'static str,
}

/// State, address, error and running step of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Production {
    /// State in one word.
    pub status: State,
    /// URL of the project; null without one.
    #[schema(required)]
    pub url: Option<String>,
    /// Port on every node; null without one.
    #[schema(required)]
    pub port: Option<i32>,
    /// Why the wanted version does not serve; null if it does, or if it is in progress.
    #[schema(required)]
    pub error: Option<String>,
    /// Since when the wanted version serves; null if it does not.
    #[schema(required, format = DateTime)]
    pub started_at: Option<String>,
    /// The step in progress; null if there is none.
    #[schema(required)]
    pub active_job: Option<ActiveJob>,
}

/// A project, as far as this page of it needs.
pub(super) struct Look<'a> {
    object: &'a Value,
    /// Its status.
    pub status: ProjectDeploymentStatus,
}

/// The requests that the operator has not handled yet.
struct Pending {
    deploy: bool,
    other: bool,
    spec: bool,
}

impl<'a> Look<'a> {
    /// At a project as the API server stores it. A status that cannot be read counts as none.
    #[must_use]
    pub(super) fn at(object: &'a Value) -> Self {
        let status = serde_json::from_value(object["status"].clone()).unwrap_or_default();
        Self { object, status }
    }

    /// The state that the spec asks for.
    #[must_use]
    pub(super) fn is_to_stop(&self) -> bool {
        self.object["spec"]["state"] == "Stopped" || self.object["spec"]["replicas"] == 0
    }

    /// A version serves, wanted or not.
    #[must_use]
    pub(super) fn serves(&self) -> bool {
        self.status.is_true("Available") && self.status.version.is_some()
    }

    /// Message of the condition Ready.
    #[must_use]
    pub(super) fn message(&self) -> &str {
        self.status.condition("Ready").map_or("", |ready| &ready.message)
    }

    /// Reason of the condition Ready.
    #[must_use]
    pub(super) fn reason(&self) -> &str {
        self.status.condition("Ready").map_or("", |ready| &ready.reason)
    }

    /// Nothing more happens without a change or a request.
    #[must_use]
    pub(super) fn is_at_rest(&self) -> bool {
        let production = self.production();
        production.active_job.is_none()
            && matches!(production.status, State::Running | State::Stopped | State::Failed)
    }

    /// State, address, error and running step. The address stays while nothing serves.
    #[must_use]
    pub(super) fn production(&self) -> Production {
        let pending = self.pending();
        let stalled = self.status.is_true("Stalled");
        let (status, active_job) = match self.status.phase {
            _ if self.is_to_stop() => (State::Stopped, self.stop()),
            _ if pending.deploy => (State::Queued, job("production.build", "queued")),
            None | Some(Phase::Queued) => (State::Queued, job("production.build", "queued")),
            Some(Phase::Stopped) => (State::Queued, job("production.start", "queued")),
            Some(Phase::Building) => (State::Building, job("production.build", "running")),
            Some(Phase::Starting) => (State::Building, job("production.waitReady", "running")),
            Some(Phase::Running) if pending.other => (State::Running, job("production.start", "queued")),
            Some(Phase::Running) if pending.spec => (State::Queued, job("production.build", "queued")),
            Some(Phase::Running) => (State::Running, None),
            Some(Phase::Failed) if pending.other || pending.spec => {
                (State::Queued, job("production.start", "queued"))
            }
            Some(Phase::Failed) if stalled => (State::Failed, None),
            Some(Phase::Failed) => (State::Error, None),
        };
        let fails = matches!(status, State::Failed | State::Error);
        let since = self.status.ready_since.as_ref().filter(|_| status == State::Running);
        Production {
            status,
            url: self.status.url.clone(),
            port: self.status.node_port,
            error: fails.then(|| self.error()),
            started_at: since.map(|since| since.0.to_string()),
            active_job,
        }
    }

    /// The same as doce.dev shows it: without an address while nothing serves.
    #[must_use]
    pub(super) fn while_it_serves(&self) -> Production {
        let production = self.production();
        if self.serves() && !self.is_to_stop() {
            return production;
        }
        Production { url: None, port: None, ..production }
    }

    fn stop(&self) -> Option<ActiveJob> {
        if self.pending().spec {
            return job("production.stop", "queued");
        }
        match self.status.phase {
            Some(Phase::Stopped) if self.reason() != "Stopping" => None,
            _ => job("production.stop", "running"),
        }
    }

    fn error(&self) -> String {
        let failure = self.status.failure.as_ref().map(|failure| failure.message.clone());
        failure.filter(|message| !message.is_empty()).unwrap_or_else(|| self.message().to_owned())
    }

    fn pending(&self) -> Pending {
        let annotations = &self.object["metadata"]["annotations"];
        let annotations = serde_json::from_value(annotations.clone()).unwrap_or_default();
        let waits = |(kind, value): (&RequestKind, &String)| {
            let handled = self.status.handled.get(kind.word());
            handled.is_none_or(|handled| handled.value != *value).then_some(*kind)
        };
        let waiting: Vec<RequestKind> = requests(&annotations).iter().filter_map(waits).collect();
        let starts = |kind: &RequestKind| matches!(kind, RequestKind::Deploy | RequestKind::Retry);
        let generation = self.object["metadata"]["generation"].as_i64().unwrap_or(0);
        Pending {
            deploy: waiting.iter().any(starts),
            other: waiting.iter().any(|kind| !starts(kind)),
            spec: self.status.observed_generation < generation,
        }
    }

    /// The last requests of this kind: the one that is set, and the one that is handled.
    fn last(&self, kind: RequestKind) -> impl Iterator<Item = &str> {
        let annotated = self.object["metadata"]["annotations"][kind.annotation()].as_str();
        let handled = self.status.handled.get(kind.word()).map(|handled| handled.value.as_str());
        [annotated, handled].into_iter().flatten()
    }

    /// The argument of the last request of this kind, if it has this token.
    #[must_use]
    pub(super) fn asked(&self, kind: RequestKind, token: &str) -> Option<String> {
        let split =
            |value: &str| value.rsplit_once('@').map(|(argument, of)| (argument.to_owned(), of == token));
        let mut values = self.last(kind).filter_map(split);
        values.find_map(|(argument, is_same)| is_same.then_some(argument))
    }

    /// One of the last requests of this kind has this value.
    #[must_use]
    pub(super) fn has_asked(&self, kind: RequestKind, value: &str) -> bool {
        self.last(kind).any(|last| last == value)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller wants an option")]
fn job(kind: &'static str, state: &'static str) -> Option<ActiveJob> {
    Some(ActiveJob { kind, state })
}

/// Name and data of the event that says what a project looks like now.
#[must_use]
pub(super) fn event(object: &Value) -> (&'static str, Value) {
    let look = Look::at(object);
    let production = look.production();
    let name = match (production.status, look.status.phase) {
        (State::Queued, _) => "production.queued",
        (State::Building, Some(Phase::Starting)) => "production.starting",
        (State::Building, _) => "production.building",
        (State::Running, _) => "production.ready",
        (State::Stopped, _) => "production.stopped",
        (State::Failed | State::Error, _) => "production.error",
    };
    let mut data = json!(production);
    data["message"] = json!(look.message());
    data["reason"] = json!(look.reason());
    data["version"] = json!(look.status.version);
    data["desiredVersion"] = json!(look.status.desired_version);
    data["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
    (name, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(phase: &str, more: &Value) -> Value {
        let mut object = json!({
            "metadata": { "generation": 2, "resourceVersion": "7", "annotations": {} },
            "spec": { "replicas": 1, "state": "Running" },
            "status": {
                "observedGeneration": 2, "phase": phase, "version": "v1", "nodePort": 30100, "url": "http://n:30100",
                "readySince": "2026-11-30T12:00:00Z",
                "conditions": [condition("Available", "True", "Serving"), condition("Ready", "True", "Serving")],
            },
        });
        merge(&mut object, more);
        object
    }

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": reason, "message": "words",
            "lastTransitionTime": "2026-11-30T12:00:00Z" })
    }

    fn merge(into: &mut Value, from: &Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from.clone(),
        }
    }

    fn seen(phase: &str, more: &Value) -> (State, Option<(&'static str, &'static str)>) {
        let object = object(phase, more);
        let production = Look::at(&object).production();
        (production.status, production.active_job.map(|job| (job.kind, job.state)))
    }

    #[test]
    fn the_phase_the_spec_and_requests_that_wait_make_the_state() {
        let none = json!({});
        let stalled = json!({ "status": { "conditions": [condition("Stalled", "True", "BuildFailed")] } });
        let stopped = json!({ "spec": { "state": "Stopped" } });
        let edited = json!({ "metadata": { "generation": 3 } });
        let deploy = json!({ "metadata": { "annotations": { "doce.dev/deploy": "@1" } } });
        let handled = json!({
            "metadata": { "annotations": { "doce.dev/deploy": "@1" } },
            "status": { "handled": { "deploy": { "value": "@1", "outcome": "done" } } },
        });
        let rollback = json!({ "metadata": { "annotations": { "doce.dev/rollback": "previous@1" } } });
        for (phase, more, expected) in [
            ("Running", &none, (State::Running, None)),
            ("Queued", &none, (State::Queued, Some(("production.build", "queued")))),
            ("Building", &none, (State::Building, Some(("production.build", "running")))),
            ("Starting", &none, (State::Building, Some(("production.waitReady", "running")))),
            ("Failed", &none, (State::Error, None)),
            ("Failed", &stalled, (State::Failed, None)),
            ("Failed", &edited, (State::Queued, Some(("production.start", "queued")))),
            ("Running", &deploy, (State::Queued, Some(("production.build", "queued")))),
            ("Running", &handled, (State::Running, None)),
            ("Running", &rollback, (State::Running, Some(("production.start", "queued")))),
            ("Running", &stopped, (State::Stopped, Some(("production.stop", "running")))),
            ("Stopped", &stopped, (State::Stopped, None)),
        ] {
            assert_eq!(seen(phase, more), expected, "{phase} {more}");
        }
    }

    #[test]
    fn a_repeated_token_finds_the_argument_of_its_request() {
        let object = object(
            "Running",
            &json!({
                "metadata": { "annotations": { "doce.dev/cancel": "shop-2@b" } },
                "status": { "handled": { "cancel": { "value": "shop-1@a", "outcome": "done" } } },
            }),
        );
        let asked = |key: &str| Look::at(&object).asked(RequestKind::Cancel, key);
        assert_eq!((asked("a"), asked("b")), (Some("shop-1".to_owned()), Some("shop-2".to_owned())));
        assert_eq!((asked("c"), Look::at(&object).asked(RequestKind::Deploy, "a")), (None, None));
        let has_asked = |value: &str| Look::at(&object).has_asked(RequestKind::Cancel, value);
        assert!(has_asked("shop-1@a") && has_asked("shop-2@b") && !has_asked("shop-2@a"));
    }

    #[test]
    fn the_address_stays_unless_doce_dev_asks_and_nothing_serves() {
        let down = json!({ "status": { "conditions": [condition("Available", "False", "Unavailable")] } });
        let object = object("Building", &down);
        let look = Look::at(&object);
        assert_eq!(look.production().port, Some(30100));
        assert_eq!((look.while_it_serves().port, look.while_it_serves().url), (None, None));
    }

    #[test]
    fn every_state_has_an_event_and_its_data_has_the_fields_of_the_state() {
        for (phase, name) in [
            ("Queued", "production.queued"),
            ("Building", "production.building"),
            ("Starting", "production.starting"),
            ("Running", "production.ready"),
            ("Failed", "production.error"),
        ] {
            let (event, data) = event(&object(phase, &json!({})));
            assert_eq!(event, name);
            assert!(data["status"].is_string() && data["message"] == "words", "{data}");
        }
    }
}
