//! Metrics of the HTTP API. Every label has few values: paths are templates, and no caller or project is a label.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    answer: &'static str,
}

type Seconds = Family<Route, Histogram, fn() -> Histogram>;

/// All metrics of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Seconds,
    streams: Family<Kind, Gauge>,
    streams_ended: Family<Reason, Counter>,
    watches: Counter<u64, AtomicU64>,
    watch_events: Family<Kind, Counter>,
    reviews: Family<Answer, Counter>,
    projects: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.002, 3.0, 9));
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            streams: Family::default(),
            streams_ended: Family::default(),
            watches: Counter::default(),
            watch_events: Family::default(),
            reviews: Family::default(),
            projects: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let own = self.registry.sub_registry_with_prefix("doce_api");
        own.register("requests", "Answered requests", self.requests.clone());
        own.register("request_duration_seconds", "Time to the head of the answer", self.seconds.clone());
        own.register("streams", "Open streams", self.streams.clone());
        own.register("streams_ended", "Streams that ended, by cause", self.streams_ended.clone());
        own.register("watches", "Lists with which the shared watch began", self.watches.clone());
        own.register("watch_events", "Events of the shared watch", self.watch_events.clone());
        own.register("access_reviews", "Questions to the API server about rights", self.reviews.clone());
        own.register("projects", "Projects that the server holds", self.projects.clone());
        self
    }

    /// The text of `/metrics`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry); // It writes to a string.
        text
    }

    pub(super) fn answered(&self, method: &http::Method, route: String, status: u16, took: Duration) {
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Request { method: word(method), route, status }).inc();
    }

    pub(super) fn stream_began(&self, kind: &'static str) {
        self.streams.get_or_create(&Kind { kind }).inc();
    }

    pub(super) fn stream_ended(&self, kind: &'static str, reason: &'static str) {
        self.streams.get_or_create(&Kind { kind }).dec();
        self.streams_ended.get_or_create(&Reason { reason }).inc();
    }

    pub(super) fn watch_began(&self) {
        self.watches.inc();
    }

    pub(super) fn watched(&self, kind: &'static str, projects: usize) {
        self.watch_events.get_or_create(&Kind { kind }).inc();
        self.projects.set(i64::try_from(projects).unwrap_or(i64::MAX));
    }

    pub(super) fn reviewed(&self, answer: &'static str) {
        self.reviews.get_or_create(&Answer { answer }).inc();
    }
}

fn word(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
