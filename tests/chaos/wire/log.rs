//! The requests of all operators of one life in order, their answers, and the faults that struck.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::Uri;
use serde_json::Value;
use tokio::sync::watch;

use crate::call::Call;
use crate::fault::Fault;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Number of the operator in the life, from 0.
    pub operator: usize,
    /// Verb and resource.
    pub call: Call,
    /// Path without query.
    pub path: String,
    /// The request body; null if it is not JSON.
    pub body: Value,
    /// True if it reached the API server.
    pub sent: bool,
    /// The API server's status code; 0 if there is none.
    pub code: u16,
    /// The object that a write returned.
    pub answer: Value,
    /// Time of the request.
    pub at: Instant,
}

impl Asked {
    /// A request that is about to be sent.
    pub(crate) fn new(operator: usize, call: &Call, uri: &Uri, body: &Bytes) -> Self {
        Self {
            operator,
            call: call.clone(),
            path: uri.path().to_owned(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            sent: false,
            code: 0,
            answer: Value::Null,
            at: Instant::now(),
        }
    }

    /// True if the API server changed an object other than an Event.
    pub(crate) fn wrote(&self) -> bool {
        self.call.is_write() && !self.call.is_event() && self.sent && (200..300).contains(&self.code)
    }

    /// The last part of the path: a name, or the resource.
    pub(crate) fn name(&self) -> String {
        let named = self.path.trim_end_matches("/status");
        let posted = self.body["metadata"]["name"].as_str();
        posted.unwrap_or_else(|| named.rsplit('/').next().unwrap_or_default()).to_owned()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Log {
    asked: Mutex<Vec<Asked>>,
    struck: Mutex<BTreeMap<usize, Fault>>,
    /// The first answer of the life, by verb and path.
    first: Mutex<HashMap<String, (u16, Bytes)>>,
    /// The maximum number of events of the n-th watch of a kind by the first operator.
    streams: Mutex<BTreeMap<(Call, usize), usize>>,
    disarmed: AtomicBool,
    strikes: watch::Sender<usize>,
}

impl Log {
    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Number of requests so far.
    pub(crate) fn len(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The faults that struck.
    pub(crate) fn struck(&self) -> Vec<Fault> {
        self.struck.lock().unwrap().values().copied().collect()
    }

    /// Waits until a fault strikes.
    pub(crate) async fn until_struck(&self) {
        let _ = self.strikes.subscribe().wait_for(|number| *number > 0).await;
    }

    /// Injects no faults from now on.
    pub(crate) fn disarm(&self) {
        self.disarmed.store(true, Ordering::Relaxed);
    }

    /// Whether [`Log::disarm`] was called.
    pub(super) fn is_disarmed(&self) -> bool {
        self.disarmed.load(Ordering::Relaxed)
    }

    /// Number of requests of each kind by the first operator.
    pub(crate) fn counts(&self) -> BTreeMap<Call, usize> {
        let mut counts = BTreeMap::new();
        for asked in self.asked.lock().unwrap().iter().filter(|asked| asked.operator == 0) {
            *counts.entry(asked.call.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// Number of events of the first watch of each kind.
    pub(crate) fn events(&self) -> BTreeMap<Call, usize> {
        let streams = self.streams.lock().unwrap();
        streams
            .iter()
            .filter(|((_, number), _)| *number == 1)
            .map(|((call, _), events)| (call.clone(), *events))
            .collect()
    }

    pub(super) fn ask(&self, asked: Asked) -> usize {
        let mut all = self.asked.lock().unwrap();
        all.push(asked);
        all.len() - 1
    }

    pub(super) fn name(&self, place: usize) -> String {
        self.asked.lock().unwrap()[place].name()
    }

    /// Records an answer and keeps the first one of its address for stale answers.
    pub(super) fn answered(&self, place: usize, code: u16, sent: bool, bytes: &Bytes) {
        let mut all = self.asked.lock().unwrap();
        let asked = &mut all[place];
        (asked.code, asked.sent) = (code, sent);
        if asked.call.is_write() {
            asked.answer = serde_json::from_slice(bytes).unwrap_or_default();
        } else if asked.call.verb != "WATCH" {
            let mut first = self.first.lock().unwrap();
            first.entry(address(asked)).or_insert_with(|| (code, bytes.clone()));
        }
    }

    pub(super) fn first_answer(&self, place: usize) -> Option<(u16, Bytes)> {
        let address = address(&self.asked.lock().unwrap()[place]);
        self.first.lock().unwrap().get(&address).cloned()
    }

    pub(super) fn strike(&self, place: usize, fault: Fault) {
        self.struck.lock().unwrap().insert(place, fault);
        self.strikes.send_modify(|number| *number += 1);
    }

    pub(super) fn told(&self, call: &Call, number: usize, events: usize) {
        self.streams.lock().unwrap().insert((call.clone(), number), events);
    }
}

fn address(asked: &Asked) -> String {
    format!("{} {}", asked.call.verb, asked.path)
}
