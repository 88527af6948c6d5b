//! Metrics of the HTTP API. Every label has few values: paths are templates, and no caller or project is a label. Pure.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::metrics::Requests;

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
    identities: Family<Answer, Counter>,
    projects: Gauge,
    bodies: Gauge,
    sent: Requests,
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
            identities: Family::default(),
            projects: Gauge::default(),
            bodies: Gauge::default(),
            sent: Requests::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let own = self.registry.sub_registry_with_prefix("doce_api");
        own.register("requests", "Answered requests by method, path and status", self.requests.clone());
        own.register("request_duration_seconds", "Time to the head of an answer", self.seconds.clone());
        own.register("streams", "Open streams by kind: events or logs", self.streams.clone());
        own.register(
            "streams_ended",
            "Streams that ended, by the reason that `stream.end` says, or `closed` by the client",
            self.streams_ended.clone(),
        );
        own.register("watches", "Lists with which the shared watch of projects began", self.watches.clone());
        own.register("watch_events", "Events of the shared watch by kind", self.watch_events.clone());
        own.register(
            "access_reviews",
            "Questions to the API server whether a caller has a right, by answer",
            self.reviews.clone(),
        );
        own.register(
            "identity_reviews",
            "Questions to the API server whose token it is, by answer",
            self.identities.clone(),
        );
        own.register("projects", "Projects that the server holds", self.projects.clone());
        own.register("bodies", "Bodies of requests that the server holds", self.bodies.clone());
        self.sent.register(&mut self.registry);
        self
    }

    /// The text of `/metrics`, in the text format of Prometheus.
    pub(super) fn text(&self, bodies: usize) -> Result<String, std::fmt::Error> {
        self.bodies.set(i64::try_from(bodies).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Counts requests to the API server.
    pub(super) fn sent(&self) -> Requests {
        self.sent.clone()
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

    pub(super) fn identified(&self, answer: &'static str) {
        self.identities.get_or_create(&Answer { answer }).inc();
    }

    pub(super) fn reviewed(&self, answer: &'static str) {
        self.reviews.get_or_create(&Answer { answer }).inc();
    }
}

/// The text of `/metrics` with every series once, for the page of metrics.
pub fn sample() -> Result<String, std::fmt::Error> {
    let metrics = Metrics::new();
    metrics.answered(&http::Method::GET, "/readyz".to_owned(), 200, Duration::from_millis(3));
    metrics.stream_began("events");
    metrics.stream_ended("events", "closed");
    metrics.watch_began();
    metrics.watched("complete", 1);
    metrics.reviewed("allowed");
    metrics.identified("known");
    metrics.sent.count("GET", Some(200));
    metrics.text(0)
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
