//! The real reader before a small API server in memory, whose connections break as a test says.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt as _, stream};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::service_fn;

use super::*;

/// A pod with one container.
#[derive(Clone, Default)]
struct Sim {
    /// Lines of each run: their time in milliseconds, and their text.
    runs: Vec<Vec<(i64, String)>>,
    /// The last run has ended.
    has_ended: bool,
    /// The kubelet says nothing about the container.
    is_silent: bool,
}

#[derive(Default)]
struct State {
    pods: BTreeMap<String, Sim>,
    /// Statuses of the next lists, instead of an answer.
    failing_lists: VecDeque<u16>,
    /// Bytes after which the next logs break.
    breaks: VecDeque<usize>,
    /// The queries of all lists.
    lists: Vec<String>,
}

/// The API server.
#[derive(Clone)]
struct Sky {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
}

impl Sky {
    fn new() -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(()) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.state.lock().unwrap());
        self.changed.send_replace(());
        value
    }

    /// A pod whose first run has these lines.
    fn pod(&self, name: &str, lines: &[&str]) {
        let sim = Sim { runs: vec![vec![]], ..Sim::default() };
        self.change(|state| state.pods.insert(name.to_owned(), sim));
        for line in lines {
            self.print(name, line);
        }
    }

    /// The container prints a line.
    fn print(&self, name: &str, line: &str) {
        self.change(|state| {
            let run = state.pods.get_mut(name).unwrap().runs.last_mut().unwrap();
            let time = run.last().map_or(1000, |(time, _)| time + 300);
            run.push((time, line.to_owned()));
        });
    }

    fn end(&self, name: &str) {
        self.change(|state| state.pods.get_mut(name).unwrap().has_ended = true);
    }

    fn client(&self) -> Client {
        let sky = self.clone();
        Client::new(
            service_fn(move |request: Request<kube::client::Body>| {
                std::future::ready(Ok::<_, io::Error>(sky.answer(&request)))
            }),
            "shops",
        )
    }

    fn answer(&self, request: &Request<kube::client::Body>) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let of = |name: &str| {
            let found =
                query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
            found.map(|(_, value)| value.replace("%3A", ":"))
        };
        let path: Vec<&str> = request.uri().path().split('/').collect();
        if !request.uri().path().ends_with("/log") {
            return self.list(&query, of("continue").as_ref());
        }
        let name = path[path.len() - 2].to_owned();
        let since = of("sinceTime")
            .map_or(i64::MIN, |time| time.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let previous = of("previous").is_some_and(|value| value == "true");
        let follow = of("follow").is_some_and(|value| value == "true");
        let tail = of("tailLines").map(|lines| lines.parse::<usize>().unwrap());
        let number = self.change(|state| {
            let runs = state.pods.get(&name).map_or(0, |sim| sim.runs.len());
            runs.checked_sub(1 + usize::from(previous))
        });
        let Some(number) = number else { return refused(404) };
        let broken_after = self.change(|state| state.breaks.pop_front());
        let lines = self.lines(name, number, (since, tail), follow);
        Response::new(Body::from_stream(broken(lines, broken_after)))
    }

    fn list(&self, query: &str, after: Option<&String>) -> Response<Body> {
        let mut state = self.state.lock().unwrap();
        state.lists.push(query.to_owned());
        if let Some(code) = state.failing_lists.pop_front() {
            return refused(code);
        }
        let pods = state.pods.iter().filter(|(name, _)| Some(*name) > after);
        let page: Vec<Value> = pods.take(50).map(|(name, sim)| pod(name, sim)).collect();
        let end = page.last().map(|pod| pod["metadata"]["name"].clone());
        let more = page.len() == 50;
        let list = json!({ "metadata": { "continue": end.filter(|_| more) }, "items": page });
        Response::new(Body::from(list.to_string()))
    }

    /// The log of a run, as the kubelet sends it.
    fn lines(
        &self,
        name: String,
        run: usize,
        (since, tail): (i64, Option<usize>),
        follow: bool,
    ) -> impl Stream<Item = String> + Send + 'static {
        let (state, mut changed) = (self.state.clone(), self.changed.subscribe());
        async_stream(move |sender| async move {
            let mut next: Option<usize> = None;
            loop {
                let (lines, is_over) = {
                    let state = state.lock().unwrap();
                    let Some(sim) = state.pods.get(&name) else { return };
                    let is_over = run + 1 < sim.runs.len() || sim.has_ended;
                    (sim.runs[run].clone(), is_over)
                };
                let first = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
                let from = next.unwrap_or(first).min(lines.len());
                for (time, text) in lines[from..].iter().filter(|(time, _)| *time >= since) {
                    let time = jiff::Timestamp::from_millisecond(*time).unwrap();
                    if sender.send(format!("{time} {text}\n")).await.is_err() {
                        return;
                    }
                }
                next = Some(lines.len());
                if is_over || !follow || changed.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

/// A stream of what a task sends.
fn async_stream<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    task: impl FnOnce(mpsc::Sender<T>) -> F,
) -> impl Stream<Item = T> + Send + 'static {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(task(sender));
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
}

/// The same, until the connection breaks after so many bytes.
fn broken(
    lines: impl Stream<Item = String> + Send + 'static,
    after: Option<usize>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut left = after;
    let pieces = lines.map(move |line| {
        let room = left.unwrap_or(usize::MAX).min(line.len());
        left = left.map(|left| left - room);
        (line[..room].to_owned(), left == Some(0))
    });
    let pieces = pieces.flat_map(|(text, breaks)| {
        let error = breaks.then(|| Err(io::Error::other("the connection broke")));
        stream::iter([Ok(Bytes::from(text))].into_iter().chain(error))
    });
    pieces.scan(false, |over, piece| {
        let is_over = std::mem::replace(over, *over || piece.is_err());
        std::future::ready((!is_over).then_some(piece))
    })
}

fn refused(code: u16) -> Response<Body> {
    let status =
        json!({ "kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": "x" });
    Response::builder().status(code).body(Body::from(status.to_string())).unwrap()
}

fn pod(name: &str, sim: &Sim) -> Value {
    let state =
        if sim.has_ended { json!({ "terminated": { "exitCode": 0 } }) } else { json!({ "running": {} }) };
    let statuses = json!([{ "name": "app", "image": "", "imageID": "", "ready": true,
        "restartCount": sim.runs.len() - 1, "state": state }]);
    json!({
        "metadata": { "name": name, "labels": { "doce.dev/role": "app" }, "creationTimestamp": "2026-11-30T12:00:00Z" },
        "status": { "containerStatuses": if sim.is_silent { Value::Null } else { statuses } },
    })
}

/// A stream of the logs of all pods.
struct Reading {
    lines: mpsc::Receiver<Result<Line, End>>,
    project: watch::Sender<bool>,
}

impl Reading {
    async fn start(sky: &Sky, follow: bool) -> Self {
        Self::start_with(sky, |wanted| wanted.follow = follow).await
    }

    async fn start_with(sky: &Sky, set: impl FnOnce(&mut Wanted)) -> Self {
        let mut wanted = Wanted {
            namespace: "shops".to_owned(),
            selector: "doce.dev/project=site".to_owned(),
            follow: true,
            ends_with_pods: false,
            tail: None,
            since: None,
        };
        set(&mut wanted);
        let (project, is_gone) = watch::channel(false);
        let lines = read(sky.client(), wanted, move || *is_gone.borrow()).await.unwrap();
        Self { lines, project }
    }

    /// The next lines.
    async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = vec![];
        for _ in 0..count {
            let line = tokio::time::timeout(Duration::from_mins(5), self.lines.recv()).await;
            lines.push(line.expect("a line").expect("the stream goes on").expect("a line").text);
        }
        lines
    }

    /// The rest of the lines, and why the stream ended.
    async fn end(mut self) -> (Vec<String>, End) {
        let mut lines = vec![];
        loop {
            match self.lines.recv().await.expect("the stream says why it ends") {
                Ok(line) => lines.push(line.text),
                Err(end) => return (lines, end),
            }
        }
    }
}

const TEN: [&str; 10] = ["a", "bb", "ccc", "d", "e", "f", "g", "h", "i", "j"];

#[tokio::test(start_paused = true)]
async fn a_log_whose_connection_breaks_is_opened_again_and_loses_and_doubles_no_line() {
    for first in 1..250 {
        let sky = Sky::new();
        sky.pod("app", &TEN);
        sky.change(|state| state.breaks = [first, 60, 1].into());
        let mut reading = Reading::start(&sky, true).await;
        assert_eq!(reading.lines(10).await, TEN, "broken after {first} bytes");
        sky.print("app", "more");
        assert_eq!(reading.lines(1).await, ["more"]);
        sky.change(|state| state.pods.clear());
        reading.project.send_replace(true);
        assert_eq!(reading.end().await, (vec![], End::Deleted));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_of_a_container_that_starts_again_come_although_its_log_broke() {
    let sky = Sky::new();
    sky.pod("app", &["one", "two"]);
    sky.change(|state| state.breaks = [30].into());
    let mut reading = Reading::start(&sky, true).await;
    assert_eq!(reading.lines(1).await, ["one"]);
    sky.change(|state| state.pods.get_mut("app").unwrap().runs.push(vec![]));
    assert_eq!(reading.lines(1).await, ["two"], "from the log of the run before");
    sky.print("app", "again");
    assert_eq!(reading.lines(1).await, ["again"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_of_pods_ends_nothing_and_a_lost_right_does() {
    let sky = Sky::new();
    sky.pod("one", &["a"]);
    let mut reading = Reading::start(&sky, true).await;
    assert_eq!(reading.lines(1).await, ["a"]);
    sky.change(|state| state.failing_lists = [500, 503, 429, 500, 410].into());
    sky.pod("two", &["b"]);
    assert_eq!(reading.lines(1).await, ["b"]);
    sky.print("one", "c");
    assert_eq!(reading.lines(1).await, ["c"]);
    sky.change(|state| state.failing_lists = [403].into());
    assert_eq!(reading.end().await, (vec![], End::Forbidden));
}

#[tokio::test(start_paused = true)]
async fn with_more_than_twenty_pods_an_old_one_does_not_come_back() {
    let sky = Sky::new();
    for n in 0..25 {
        sky.pod(&format!("p{n:02}"), &[&format!("line of p{n:02}")]);
    }
    let mut reading = Reading::start(&sky, true).await;
    let mut lines = reading.lines(20).await;
    lines.sort();
    assert_eq!(lines[0], "line of p05");
    sky.change(|state| state.pods.retain(|name, _| name.as_str() < "p20"));
    sky.pod("p99", &["line of p99"]);
    assert_eq!(reading.lines(1).await, ["line of p99"], "and none of p00 to p04");
}

#[tokio::test(start_paused = true)]
async fn a_container_without_a_status_for_a_moment_does_not_begin_again() {
    let sky = Sky::new();
    sky.pod("app", &["one", "two"]);
    sky.change(|state| state.breaks = [30].into());
    let mut reading = Reading::start(&sky, true).await;
    assert_eq!(reading.lines(1).await, ["one"]);
    sky.change(|state| state.pods.get_mut("app").unwrap().is_silent = true);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(reading.lines.try_recv().is_err());
    sky.change(|state| state.pods.get_mut("app").unwrap().is_silent = false);
    assert_eq!(reading.lines(1).await, ["two"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_pods_waits_until_the_project_is_gone() {
    let sky = Sky::new();
    let mut reading = Reading::start(&sky, true).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    sky.pod("app", &["late"]);
    assert_eq!(reading.lines(1).await, ["late"]);
    sky.end("app");
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(reading.lines.try_recv().is_err(), "the end of a pod is not the end of the project");
    reading.project.send_replace(true);
    assert_eq!(reading.end().await.1, End::Deleted);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_build_ends_with_its_pods() {
    let sky = Sky::new();
    sky.pod("build", &["one"]);
    let mut reading = Reading::start_with(&sky, |wanted| wanted.ends_with_pods = true).await;
    assert_eq!(reading.lines(1).await, ["one"]);
    sky.print("build", "two");
    sky.end("build");
    assert_eq!(reading.end().await, (vec!["two".to_owned()], End::Complete));
}

#[tokio::test(start_paused = true)]
async fn a_log_without_follow_is_whole_or_says_that_it_is_not() {
    let sky = Sky::new();
    sky.pod("app", &TEN);
    sky.change(|state| state.breaks = [50, 70].into());
    let (lines, end) = Reading::start(&sky, false).await.end().await;
    assert_eq!((lines, end), (TEN.map(str::to_owned).to_vec(), End::Complete));
    sky.change(|state| state.breaks = vec![30; 99].into());
    let (lines, end) = Reading::start(&sky, false).await.end().await;
    assert_eq!((lines, end), (vec!["a".to_owned()], End::Unanswered));
}

#[tokio::test(start_paused = true)]
async fn a_tail_is_the_begin_of_a_log_and_not_of_one_that_is_opened_again() {
    let sky = Sky::new();
    sky.pod("app", &TEN);
    sky.change(|state| state.breaks = [1].into());
    let mut reading = Reading::start_with(&sky, |wanted| wanted.tail = Some(2)).await;
    assert_eq!(reading.lines(2).await, ["i", "j"], "no line was read before it broke");

    let sky = Sky::new();
    sky.pod("app", &TEN);
    sky.change(|state| state.breaks = [70].into());
    let mut reading = Reading::start_with(&sky, |wanted| wanted.tail = Some(5)).await;
    assert_eq!(reading.lines(5).await, ["f", "g", "h", "i", "j"], "two lines were read before it broke");
    sky.print("app", "more");
    assert_eq!(reading.lines(1).await, ["more"]);
}

#[tokio::test(start_paused = true)]
async fn pods_are_read_in_pages_of_fifty() {
    let sky = Sky::new();
    for n in 0..120 {
        sky.pod(&format!("p{n:03}"), &["x"]);
    }
    let (lines, end) = Reading::start(&sky, false).await.end().await;
    assert_eq!((lines.len(), end), (MOST, End::Complete));
    let lists = sky.change(|state| state.lists.clone());
    assert_eq!(lists.len(), 3);
    assert!(lists.iter().all(|query| query.contains("limit=50")), "{lists:?}");
}
