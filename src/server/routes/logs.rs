//! Logs of builds and apps, as text or as events.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use utoipa::{IntoParams, ToSchema};

use crate::desired::names;
use crate::server::answers::Reads;
use crate::server::caller::Token;
use crate::server::connections::ended;
use crate::server::event_stream::{End, Open, sse};
use crate::server::log_lines::{Line, Pace};
use crate::server::pod_logs::{self, Wanted};
use crate::server::problem::Problem;
use crate::server::rights::Right;
use crate::server::site::{self, Site};
use crate::server::still::Still;
use crate::server::{Server, ansi, reads};

/// Bytes around a line that is sent: the names of the fields, and the frames below.
const FRAME: usize = 64;

type Answer = Result<Response, Problem>;

/// Which lines to read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Lines {
    /// Wait for more lines, also of pods that start later.
    #[serde(default)]
    #[param(required = false)]
    follow: bool,
    /// Only the last lines of each pod.
    #[param(minimum = 0, maximum = 100_000)]
    tail: Option<i64>,
    /// Only lines of the last seconds.
    #[serde(rename = "sinceSeconds")]
    #[param(minimum = 1, maximum = 2_592_000)]
    since_seconds: Option<i64>,
    /// Colours: `false` drops them, `classes` gives the parts of each event with their classes, `true` keeps the sequences of colours.
    /// No other ANSI sequence passes.
    #[serde(default)]
    #[param(required = false, inline)]
    ansi: Ansi,
}

/// What becomes of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Ansi {
    /// Plain text.
    #[default]
    False,
    /// Parts with classes.
    Classes,
    /// Sequences of colours.
    True,
}

/// Read the logs of a project: of its build, its init command and its app. With the header Accept: text/event-stream, as events build,
/// init and app, whose ids are times.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/logs", tag = "streams",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"), Lines,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got: the log continues after it"),
    ),
    responses((status = 200, description = "The log", content((String = "text/plain"), (String = "text/event-stream"))), Reads),
)]
pub(super) async fn project_logs(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project)): Path<(String, String)>,
    Query(lines): Query<Lines>,
    headers: HeaderMap,
) -> Answer {
    let site = Site::new(namespace, project)?;
    reads::project(&server, &token, &site).await?;
    let selector = format!("{}={}", names::PROJECT, site.name);
    answer(&server, token, &site, (selector, false), &lines, &headers).await
}

/// Read the log of a build.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/projects/{project}/builds/{id}/logs", tag = "streams",
    params(
        ("namespace" = String, Path, description = "Namespace"), ("project" = String, Path, description = "Name"),
        ("id" = String, Path, description = "Id of the build"), Lines,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got: the log continues after it"),
    ),
    responses((status = 200, description = "The log", content((String = "text/plain"), (String = "text/event-stream"))), Reads),
)]
pub(super) async fn build_logs(
    State(server): State<Arc<Server>>,
    token: Token,
    Path((namespace, project, id)): Path<(String, String, String)>,
    Query(lines): Query<Lines>,
    headers: HeaderMap,
) -> Answer {
    let (site, id) = (Site::new(namespace, project)?, site::name(id)?);
    reads::project(&server, &token, &site).await?;
    super::builds::read(&server, &token, &site, &id).await?;
    let selector = format!("{}={},batch.kubernetes.io/job-name={id}", names::PROJECT, site.name);
    answer(&server, token, &site, (selector, true), &lines, &headers).await
}

async fn answer(
    server: &Arc<Server>,
    token: Token,
    site: &Site,
    (selector, ends_with_pods): (String, bool),
    lines: &Lines,
    headers: &HeaderMap,
) -> Answer {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let as_events = accepts.contains("text/event-stream");
    if lines.ansi == Ansi::Classes && !as_events {
        return Err(Problem::bad_request("ansi=classes needs the header Accept: text/event-stream"));
    }
    let since = since(headers, lines.since_seconds)?;
    if lines.tail.is_some_and(|tail| !(0..=100_000).contains(&tail)) {
        return Err(Problem::bad_request("tail must be 0 to 100000"));
    }
    let place = server.stream_of(&token).await?;
    let wanted = Wanted {
        namespace: site.namespace.clone(),
        selector,
        follow: lines.follow,
        ends_with_pods,
        tail: lines.tail,
        since,
    };
    let (projects, key) = (server.projects()?.clone(), site.key());
    let is_gone = move || projects.store().get(&key).is_none();
    let received = pod_logs::read(server.door.of(&token), wanted, is_gone).await?;
    let log = Log {
        lines: received,
        pace: Pace::new(Instant::now()),
        ansi: lines.ansi,
        as_events,
        open: Open::new("logs", server.metrics.clone(), place),
        still: Still::new(token, Right::logs(&site.namespace), server.rights.clone()),
        ends: server.ends.clone(),
        over: false,
    };
    let items = stream::unfold(log, Log::next);
    if as_events {
        return Ok(sse(items.map(|item| Ok::<_, Infallible>(event(item)))));
    }
    let text = items.filter_map(|item| {
        std::future::ready(match item {
            Item::Line(_, text) => Some(Ok(text)),
            Item::End(End::Complete | End::Deleted) => None,
            // Text has no place for the reason. The client must not take it for the whole log.
            Item::End(end) => Some(Err(io::Error::other(end.reason()))),
        })
    });
    let mut answer = (StatusCode::OK, Body::from_stream(text)).into_response();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(answer)
}

/// The time after which lines are wanted.
fn since(headers: &HeaderMap, seconds: Option<i64>) -> Result<Option<jiff::Timestamp>, Problem> {
    if let Some(id) = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty())
    {
        let time = id
            .parse()
            .map_err(|_| Problem::bad_request("Last-Event-ID is not an id of this stream: it is a time"))?;
        return Ok(Some(time));
    }
    let Some(seconds) = seconds else { return Ok(None) };
    if !(1..=2_592_000).contains(&seconds) {
        return Err(Problem::bad_request("sinceSeconds must be 1 to 2592000"));
    }
    let span = jiff::SignedDuration::from_secs(seconds);
    Ok(jiff::Timestamp::now().checked_sub(span).ok())
}

enum Item {
    /// A line, and how it is sent.
    Line(Line, String),
    End(End),
}

struct Log {
    lines: mpsc::Receiver<Result<Line, End>>,
    pace: Pace,
    ansi: Ansi,
    as_events: bool,
    open: Open,
    still: Still,
    ends: watch::Receiver<bool>,
    over: bool,
}

impl Log {
    async fn next(mut self) -> Option<(Item, Self)> {
        if self.over {
            return None;
        }
        let end = loop {
            tokio::select! {
                // A log that always has a line must not put the question off.
                biased;
                () = self.still.due() => if let Some(end) = self.still.lost().await {
                    break end;
                },
                () = ended(&mut self.ends) => break End::Shutdown,
                line = self.lines.recv() => {
                    let line = match line {
                        Some(Ok(line)) => line,
                        Some(Err(end)) => break end,
                        None => break End::Unanswered, // Its task failed.
                    };
                    let read = line.text.len();
                    let (line, sent) = encoded(line, self.ansi, self.as_events);
                    let cost = cost(&line, read, &sent);
                    tokio::time::sleep(self.pace.pause(cost, Instant::now())).await;
                    return Some((Item::Line(line, sent), self));
                }
            }
        };
        self.over = true;
        self.open.end = end;
        Some((Item::End(end), self))
    }
}

fn event(item: Item) -> Event {
    match item {
        Item::End(end) => end.event_of_logs(),
        Item::Line(line, data) => {
            let event = Event::default().event(line.stage).data(data);
            // An empty id would reset the Last-Event-ID of the client.
            if line.time.is_empty() { event } else { event.id(line.time) }
        }
    }
}

/// A line, and how it is sent.
fn encoded(line: Line, ansi: Ansi, as_events: bool) -> (Line, String) {
    let text = || match ansi {
        Ansi::True => ansi::coloured(&line.text),
        Ansi::False | Ansi::Classes => ansi::plain(&line.text),
    };
    let sent = match (as_events, ansi) {
        (true, Ansi::Classes) => {
            json!({ "pod": line.pod, "time": line.time, "parts": ansi::parts(&line.text) }).to_string()
        }
        (true, _) => json!({ "pod": line.pod, "time": line.time, "text": text() }).to_string(),
        (false, _) => text() + "\n",
    };
    (line, sent)
}

/// The bytes that a line costs: those that are read or those that are sent, whichever are more.
fn cost(line: &Line, read: usize, sent: &str) -> usize {
    read.max(sent.len() + line.time.len() + line.stage.len()) + FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let time = "2026-11-30T12:00:00Z".to_owned();
        Line { time, pod: "p".to_owned(), stage: "app", text: text.to_owned() }
    }

    #[test]
    fn a_line_costs_what_is_read_and_what_is_sent() {
        let colours = "\u{1b}[0m".repeat(1000);
        for ansi in [Ansi::False, Ansi::Classes, Ansi::True] {
            for as_events in [false, true] {
                let (line, sent) = encoded(line(&colours), ansi, as_events);
                let cost = cost(&line, colours.len(), &sent);
                assert!(cost > colours.len() && cost > sent.len(), "{ansi:?} {as_events}");
            }
        }
        let (empty, sent) = encoded(line(""), Ansi::False, true);
        assert!(cost(&empty, 0, &sent) >= FRAME + sent.len(), "a line without text is not free");
    }
    #[test]
    fn colours_are_dropped_become_classes_or_are_written_anew() {
        let of = |ansi, as_events| encoded(line("\u{1b}[31mred\u{1b}[0m\u{1b}[2J"), ansi, as_events).1;
        let text = |sent: &str| serde_json::from_str::<serde_json::Value>(sent).unwrap()["text"].clone();
        assert_eq!(
            (of(Ansi::False, false), text(&of(Ansi::False, true))),
            ("red\n".to_owned(), json!("red"))
        );
        assert_eq!(of(Ansi::True, false), "\u{1b}[0;31mred\u{1b}[0m\n");
        let classes: serde_json::Value = serde_json::from_str(&of(Ansi::Classes, true)).unwrap();
        assert_eq!(classes["parts"], json!([{ "text": "red", "classes": ["red"] }]));
        assert_eq!(classes.get("text"), None);
    }
}
