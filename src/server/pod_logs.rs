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
use super::log_sources::{Source, sources, stage_number};
use super::problem::Problem;
use super::refusal::problem;

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
        ordered.sort_by_key(|(source, _)| stage_number(source.stage));
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
    let mut bytes = vec![];
    while let Ok(true) = next(&mut log, &mut bytes).await {
        let text = String::from_utf8_lossy(&bytes);
        let (time, text) = split_time(&text);
        // The kubelet compares whole seconds.
        let is_old =
            since.is_some_and(|since| time.parse::<jiff::Timestamp>().is_ok_and(|time| time <= since));
        if is_old {
            continue;
        }
        let (time, text) = (time.to_owned(), text.to_owned());
        let line = Line { time, pod: source.pod.clone(), stage: source.stage, text };
        if sender.send(line).await.is_err() {
            return;
        }
    }
}

/// Reads the next line without its end, at most [`LONGEST`] bytes of it. False at the end of the log.
async fn next<R: AsyncBufRead + Unpin>(log: &mut R, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    loop {
        let read = log.fill_buf().await?;
        if read.is_empty() {
            return Ok(!line.is_empty());
        }
        let room = LONGEST - line.len();
        let end = read.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(read.len()).min(room);
        line.extend_from_slice(&read[..taken]);
        let whole = end.is_some_and(|end| end == taken);
        log.consume_unpin(taken + usize::from(whole));
        if whole || line.len() == LONGEST {
            return Ok(true);
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
        while next(&mut reader, &mut line).await.unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [3, 0, LONGEST, 5, 4]);
    }
}
