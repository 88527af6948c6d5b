//! Logs of pods, read with the caller's token.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::log_lines::{LONGEST, Line, split_time};
use super::log_sources::{Source, sources};
use super::problem::Problem;
use super::refusal::problem;
use crate::desired::names;

/// Lines between a pod and the client. A client that reads slowly makes the kubelet wait.
const BETWEEN: usize = 64;

/// Pause between two looks for new pods.
const LOOK: Duration = Duration::from_secs(2);

/// Which logs to read.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) namespace: String,
    /// Label selector of the pods.
    pub(super) selector: String,
    /// Wait for more lines, and for more pods.
    pub(super) follow: bool,
    /// The log ends with the last pod.
    pub(super) ends_with_pods: bool,
    /// Only the last lines of each pod.
    pub(super) tail: Option<i64>,
    /// Only lines after this time.
    pub(super) since: Option<jiff::Timestamp>,
}

/// Reads the logs. The first problem with the pods themselves is returned, and later ones end the log.
pub(super) async fn read(client: Client, wanted: Wanted) -> Result<mpsc::Receiver<Line>, Problem> {
    let pods: Api<Pod> = Api::namespaced(client, &wanted.namespace);
    let found = list(&pods, &wanted).await?;
    let mut first = BTreeMap::new();
    for source in found {
        match open(&pods, &wanted, &source).await {
            Ok(log) => _ = first.insert(source, log),
            Err(error) => match problem(&error, false) {
                refused if matches!(refused.status, 401 | 403 | 429) => return Err(refused),
                // It is being created or deleted.
                refused if matches!(refused.status, 400 | 404) => {}
                refused => return Err(refused),
            },
        }
    }
    let (sender, receiver) = mpsc::channel(BETWEEN);
    tokio::spawn(async move {
        let closed = sender.clone();
        tokio::select! {
            () = follow(pods, wanted, first, sender) => {}
            () = closed.closed() => {}
        }
    });
    Ok(receiver)
}

async fn list(pods: &Api<Pod>, wanted: &Wanted) -> Result<Vec<Source>, Problem> {
    let params = ListParams::default().labels(&wanted.selector).limit(500);
    let list = pods.list(&params).await.map_err(|error| problem(&error, false))?;
    Ok(sources(list.items))
}

async fn open(
    pods: &Api<Pod>,
    wanted: &Wanted,
    source: &Source,
) -> Result<impl AsyncBufRead + Unpin + Send + use<>, kube::Error> {
    let params = LogParams {
        container: Some(source.container.to_owned()),
        follow: wanted.follow,
        timestamps: true,
        tail_lines: wanted.tail,
        since_time: wanted.since,
        ..LogParams::default()
    };
    Ok(Box::pin(pods.log_stream(&source.pod, &params).await?))
}

async fn follow<R: AsyncBufRead + Unpin + Send + 'static>(
    pods: Api<Pod>,
    wanted: Wanted,
    first: BTreeMap<Source, R>,
    sender: mpsc::Sender<Line>,
) {
    let mut known: Vec<Source> = first.keys().cloned().collect();
    if !wanted.follow {
        let mut ordered: Vec<_> = first.into_iter().collect();
        ordered.sort_by_key(|(source, _)| names::order_of_role(source.stage));
        for (source, log) in ordered {
            copy(log, source, wanted.since, sender.clone()).await;
        }
        return;
    }
    let mut open_logs = JoinSet::new();
    for (source, log) in first {
        open_logs.spawn(copy(log, source, wanted.since, sender.clone()));
    }
    // A pod that starts later has its whole log in the stream.
    let later = Wanted { tail: None, ..wanted.clone() };
    loop {
        if wanted.ends_with_pods && open_logs.is_empty() && !known.is_empty() {
            return;
        }
        tokio::select! {
            Some(_) = open_logs.join_next(), if !open_logs.is_empty() => continue,
            () = tokio::time::sleep(LOOK) => {} // A watch of pods for each stream would cost the API server more.
        }
        let Ok(found) = list(&pods, &wanted).await else { return };
        known.retain(|source| found.contains(source));
        for source in found {
            if !known.contains(&source)
                && let Ok(log) = open(&pods, &later, &source).await
            {
                known.push(source.clone());
                open_logs.spawn(copy(log, source, wanted.since, sender.clone()));
            }
        }
    }
}

/// Copies the lines after `since` until the log ends or no client reads.
async fn copy<R: AsyncBufRead + Unpin>(
    mut log: R,
    source: Source,
    since: Option<jiff::Timestamp>,
    sender: mpsc::Sender<Line>,
) {
    let (mut bytes, mut time, mut is_rest) = (vec![], String::new(), false);
    while let Ok(read) = next(&mut log, &mut bytes).await
        && read != Read::End
    {
        let text = String::from_utf8_lossy(&bytes);
        // Only the begin of a line has a time of the kubelet. In the rest of a long line, a time would be one of the app.
        let text = if is_rest { text.as_ref() } else { of_line(&text, &mut time) };
        let is_rest_of_line = std::mem::replace(&mut is_rest, read == Read::Begin);
        // The kubelet compares whole seconds.
        let is_old =
            since.is_some_and(|since| time.parse::<jiff::Timestamp>().is_ok_and(|time| time <= since));
        if is_old || is_rest_of_line && text.is_empty() {
            continue;
        }
        let text = text.to_owned();
        let line = Line { time: time.clone(), pod: source.pod.clone(), stage: source.stage, text };
        if sender.send(line).await.is_err() {
            return;
        }
    }
}

/// The text of a line, whose time is put into `time`. A line without a time has the time of the line before.
fn of_line<'a>(line: &'a str, time: &mut String) -> &'a str {
    let (own, text) = split_time(line);
    if !own.is_empty() {
        own.clone_into(time);
    }
    text
}

/// What was read of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// A line, or the last part of one.
    Line,
    /// Part of a line that is longer than [`LONGEST`].
    Begin,
    /// The log ended.
    End,
}

/// Reads the next line without its end, at most [`LONGEST`] bytes of it.
async fn next<R: AsyncBufRead + Unpin>(log: &mut R, line: &mut Vec<u8>) -> std::io::Result<Read> {
    line.clear();
    loop {
        let read = log.fill_buf().await?;
        if read.is_empty() {
            return Ok(if line.is_empty() { Read::End } else { Read::Line });
        }
        let room = LONGEST - line.len();
        let end = read.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(read.len()).min(room);
        line.extend_from_slice(&read[..taken]);
        let whole = end.is_some_and(|end| end == taken);
        log.consume_unpin(taken + usize::from(whole));
        if whole {
            return Ok(Read::Line);
        }
        if line.len() == LONGEST {
            return Ok(Read::Begin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_a_long_one_is_cut() {
        let long = "x".repeat(LONGEST + 5);
        let text = format!("one\n\n{long}\nlast");
        let mut reader = futures::io::Cursor::new(text.into_bytes());
        let (mut line, mut lengths) = (vec![], vec![]);
        while next(&mut reader, &mut line).await.unwrap() != Read::End {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [3, 0, LONGEST, 5, 4]);
    }

    #[tokio::test]
    async fn the_time_of_a_line_comes_from_the_kubelet_and_never_from_the_app() {
        let time = "2026-11-30T12:00:00Z";
        let head = "x".repeat(LONGEST - time.len() - 1);
        let text =
            format!("{time} {head}9999-01-01T00:00:00Z forged\r\0\nno time\n2026-aaaaaaaaaaaaaaa\0 odd\n");
        let source = Source { pod: "p".to_owned(), container: "app", stage: "app", run: 0 };
        let (sender, mut lines) = mpsc::channel(9);
        copy(futures::io::Cursor::new(text.into_bytes()), source, None, sender).await;
        let mut read = vec![];
        while let Some(line) = lines.recv().await {
            assert_eq!(line.time, time);
            read.push(line.text);
        }
        assert_eq!(read, [&head, "9999-01-01T00:00:00Z forged\r\0", "no time", "2026-aaaaaaaaaaaaaaa\0 odd"]);
    }
}
