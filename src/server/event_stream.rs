//! One stream of events of a project (Server-Sent Events).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use http::HeaderValue;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

use super::caller::Token;
use super::limits::Place;
use super::metrics::Metrics;
use super::rights::{Right, Rights};
use super::still::Still;
use super::store::{Change, Subscription};

/// Pause between two signs of life.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a stream needs of the server.
pub(super) struct Listener {
    pub(super) token: Token,
    pub(super) right: Right,
    pub(super) rights: Arc<Rights>,
    pub(super) place: Place,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ends: watch::Receiver<bool>,
    /// The stream ends with the deployment: once nothing is in progress.
    pub(super) until_at_rest: bool,
}

/// Why a stream ends, as `stream.end` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The server shuts down.
    Shutdown,
    /// The caller has lost the right.
    Forbidden,
    /// The API server does not say whether the caller still has the right.
    Unanswered,
    /// The listener was too slow.
    TooSlow,
    /// Nothing is in progress.
    AtRest,
    /// The log has no more lines.
    Complete,
    /// The project is gone.
    Deleted,
    /// The client has closed the stream.
    Closed,
}

impl End {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Forbidden => "forbidden",
            Self::Unanswered => "unanswered",
            Self::TooSlow => "tooSlow",
            Self::AtRest => "atRest",
            Self::Complete => "complete",
            Self::Deleted => "deleted",
            Self::Closed => "closed",
        }
    }

    /// In words, of a stream of events.
    fn of_events(self) -> &'static str {
        match self {
            Self::Shutdown => "the server shuts down: connect again with Last-Event-ID",
            Self::Forbidden => "your token may no longer watch this project",
            Self::Unanswered => {
                "the API server does not say whether you may still listen: connect again with Last-Event-ID"
            }
            Self::TooSlow => {
                "you read more slowly than the project changes: connect again with Last-Event-ID to get the rest"
            }
            Self::AtRest => "nothing is in progress",
            Self::Complete => "there are no more events",
            Self::Deleted => "the project was deleted",
            Self::Closed => "closed",
        }
    }

    /// In words, of a stream of logs.
    fn of_logs(self) -> &'static str {
        match self {
            Self::Forbidden => "your token may no longer read these logs",
            Self::Unanswered => {
                "the API server does not answer: connect again with Last-Event-ID to get the rest"
            }
            Self::TooSlow => "you read too slowly: connect again with Last-Event-ID to get the rest",
            Self::AtRest | Self::Complete => "the log is complete",
            Self::Shutdown | Self::Deleted | Self::Closed => self.of_events(),
        }
    }

    /// The last event of a stream of events.
    pub(super) fn event(self) -> Event {
        self.with(self.of_events())
    }

    /// The last event of a stream of logs.
    pub(super) fn event_of_logs(self) -> Event {
        self.with(self.of_logs())
    }

    fn with(self, message: &str) -> Event {
        let data = json!({ "reason": self.reason(), "message": message });
        Event::default().event("stream.end").data(data.to_string())
    }
}

/// Counts a stream while it is open.
pub(super) struct Open {
    pub(super) kind: &'static str,
    pub(super) metrics: Arc<Metrics>,
    pub(super) end: End,
    pub(super) _place: Place,
}

impl Open {
    pub(super) fn new(kind: &'static str, metrics: Arc<Metrics>, place: Place) -> Self {
        metrics.stream_began(kind);
        Self { kind, metrics, end: End::Closed, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.stream_ended(self.kind, self.end.reason());
    }
}

struct Running {
    open: Open,
    waiting: VecDeque<Arc<Change>>,
    coming: Receiver<Arc<Change>>,
    still: Still,
    ends: watch::Receiver<bool>,
    until_at_rest: bool,
    last: u64,
    rests: bool,
    over: bool,
}

/// The answer with the stream.
pub(super) fn answer(subscription: Subscription, listener: Listener) -> Response {
    let at_rest = subscription.at_rest;
    let Listener { token, right, rights, place, metrics, ends, until_at_rest } = listener;
    let running = Running {
        open: Open::new("events", metrics, place),
        waiting: subscription.missed.into(),
        coming: subscription.coming,
        still: Still::new(token, right, rights),
        ends,
        until_at_rest,
        last: subscription.seen.unwrap_or(0),
        rests: at_rest,
        over: false,
    };
    let events = stream::unfold(running, Running::next);
    sse(events)
}

/// The answer with these events and signs of life.
pub(super) fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // nginx would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Running {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.over {
            return None;
        }
        loop {
            if let Some(change) = self.waiting.pop_front() {
                let event = self.tell(&change);
                return Some((Ok(event), self));
            }
            if self.is_done() {
                return Some(self.end(End::AtRest));
            }
            if *self.ends.borrow_and_update() {
                return Some(self.end(End::Shutdown));
            }
            tokio::select! {
                // A stream that always has an event must not put the question off.
                biased;
                () = self.still.due() => if let Some(end) = self.still.lost().await {
                    return Some(self.end(end));
                },
                _ = self.ends.changed() => return Some(self.end(End::Shutdown)),
                change = self.coming.recv() => match change {
                    Ok(change) if change.version <= self.last && !change.gone => {}
                    Ok(change) => self.waiting.push_back(change),
                    Err(RecvError::Lagged(_)) => return Some(self.end(End::TooSlow)),
                    Err(RecvError::Closed) => return Some(self.end(End::Deleted)),
                },
            }
        }
    }

    /// The deployment that the listener follows is over.
    fn is_done(&self) -> bool {
        self.until_at_rest && self.rests
    }

    fn end(mut self, end: End) -> (Result<Event, Infallible>, Self) {
        self.over = true;
        self.open.end = end;
        (Ok(end.event()), self)
    }

    fn tell(&mut self, change: &Change) -> Event {
        self.last = change.version;
        self.rests = change.at_rest;
        if change.gone {
            self.over = true;
            self.open.end = End::Deleted;
        }
        Event::default().event(change.name).id(change.version.to_string()).data(&change.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_says_what_is_true_of_logs() {
        for (end, words) in [
            (End::Complete, "the log is complete"),
            (End::Forbidden, "may no longer read these logs"),
            (End::Unanswered, "get the rest"),
            (End::Deleted, "the project was deleted"),
            (End::Shutdown, "shuts down"),
        ] {
            assert!(end.of_logs().contains(words), "{}", end.of_logs());
        }
        assert!(End::Forbidden.of_events().contains("watch this project"));
        assert_eq!(End::AtRest.of_events(), "nothing is in progress");
    }
}
