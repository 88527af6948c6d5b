//! Logs of pods, read with the caller's token. A log whose connection breaks is opened again where it broke.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::io::AsyncBufRead;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::children::pages;
use super::event_stream::End;
use super::log_lines::Line;
use super::log_reader::{Left, Sender, copy};
use super::log_sources::{Found, Known, Log, MOST, Source, found, new_ones, sort_by_age};
use super::problem::Problem;
use super::refusal::problem;
use crate::desired::names;
use crate::view::log_cursor::Cursor;

/// Lines between a pod and the client. A client that reads slowly makes the kubelet wait.
const BETWEEN: usize = 64;

/// Pause between two looks at the pods, and before a log is opened again.
const LOOK: Duration = Duration::from_secs(2);

/// How often a log without `follow` is opened again.
const ATTEMPTS: u8 = 5;

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

/// Reads the logs. The first problem with the pods themselves is returned. Later ones end the log only if the caller has lost
/// the right. `is_gone` says that there is no project any more.
pub(super) async fn read(
    client: Client,
    wanted: Wanted,
    is_gone: impl Fn() -> bool + Send + 'static,
) -> Result<mpsc::Receiver<Result<Line, End>>, Problem> {
    let pods: Api<Pod> = Api::namespaced(client, &wanted.namespace);
    let (sender, receiver) = mpsc::channel(BETWEEN);
    let mut reader = Reader { pods, wanted, known: Known::new(), open: JoinSet::new(), sender };
    let (_, all) = reader.list().await?;
    let mut first = vec![];
    for found in new_ones(&mut reader.known, all) {
        let beginning = Beginning::of(&reader.wanted);
        match reader.open(&found.source, beginning.clone(), false).await {
            Ok(log) => first.push((found, log)),
            Err(refused) if matches!(refused.status, 401 | 403) => return Err(refused),
            // It is being created or deleted.
            Err(refused) if matches!(refused.status, 400 | 404) => {}
            // The next look opens it.
            Err(_) if reader.wanted.follow => reader.leave(found.source, beginning),
            Err(refused) => return Err(refused),
        }
    }
    tokio::spawn(async move {
        let closed = reader.sender.clone();
        let reads = async {
            if reader.wanted.follow { reader.follow(first, is_gone).await } else { reader.once(first).await }
        };
        tokio::select! {
            end = reads => { let _ = closed.send(Err(end)).await; }
            () = closed.closed() => {}
        }
    });
    Ok(receiver)
}

/// Where a log begins that is opened for the first time, or again.
#[derive(Clone, Debug)]
struct Beginning {
    cursor: Cursor,
    tail: Option<i64>,
    /// The last line that was read, without its end.
    rest: Option<Line>,
}

impl Beginning {
    fn of(wanted: &Wanted) -> Self {
        Self { cursor: Cursor::after(wanted.since), tail: wanted.tail, rest: None }
    }

    /// The whole log of a pod that starts later.
    fn of_later(wanted: &Wanted) -> Self {
        Self { tail: None, ..Self::of(wanted) }
    }

    /// Where it ended or broke. A log of which no line was read still begins with its last lines, but one that had no line yet
    /// is wanted from its first line.
    fn again(left: Left, tail: Option<i64>) -> Self {
        let tail = tail.filter(|_| !left.is_whole && left.cursor.is_at_begin());
        Self { cursor: left.cursor, tail, rest: left.rest }
    }
}

/// A log that is read.
struct Opened<R> {
    log: R,
    cursor: Cursor,
    tail: Option<i64>,
}

/// The task that reads a log.
#[derive(Debug)]
struct Reading {
    task: AbortHandle,
    /// The run had ended before its log was opened.
    has_ended: bool,
    tail: Option<i64>,
    /// When it was opened.
    since: jiff::Timestamp,
}

struct Reader {
    pods: Api<Pod>,
    wanted: Wanted,
    known: Known<Reading, Beginning>,
    open: JoinSet<(Source, Left)>,
    sender: Sender,
}

impl Reader {
    /// The pods by name, and the last runs with a log.
    async fn list(&self) -> Result<(BTreeSet<String>, Vec<Found>), Problem> {
        let pods = pages(&self.pods, &self.wanted.selector, |pod| Ok(Some((pod.name_any(), found(&pod)))));
        let (names, found): (BTreeSet<String>, Vec<Option<Found>>) = pods.await?.into_iter().unzip();
        Ok((names, found.into_iter().flatten().collect()))
    }

    async fn open(
        &self,
        source: &Source,
        beginning: Beginning,
        previous: bool,
    ) -> Result<Opened<impl AsyncBufRead + Unpin + Send + use<>>, Problem> {
        let mut cursor = beginning.cursor;
        let since_time = cursor.opens();
        let params = LogParams {
            container: Some(source.container.to_owned()),
            follow: self.wanted.follow,
            timestamps: true,
            tail_lines: beginning.tail.filter(|_| cursor.is_at_begin()),
            since_time,
            previous,
            ..LogParams::default()
        };
        let log = self.pods.log_stream(&source.pod, &params).await.map_err(|error| problem(&error, false))?;
        Ok(Opened { log: Box::pin(log), cursor, tail: beginning.tail })
    }

    fn spawn<R>(&mut self, source: Source, opened: Opened<R>, has_ended: bool)
    where
        R: AsyncBufRead + Unpin + Send + 'static,
    {
        let (of, sender) = (source.clone(), self.sender.clone());
        let (tail, since) = (opened.tail, jiff::Timestamp::now());
        let reads = async move { (of.clone(), copy(opened.log, of, opened.cursor, sender).await) };
        let task = self.open.spawn(reads);
        self.known.insert(source, Log::Open(Reading { task, has_ended, tail, since }));
    }

    fn leave(&mut self, source: Source, beginning: Beginning) {
        self.known.insert(source, Log::Left(beginning));
    }

    /// Reads one log after the other to its end.
    async fn once<R: AsyncBufRead + Unpin>(self, first: Vec<(Found, Opened<R>)>) -> End {
        let mut ordered = first;
        ordered.sort_by_key(|(found, _)| names::order_of_role(found.source.stage));
        for (Found { source, .. }, opened) in ordered {
            let tail = opened.tail;
            let mut left = copy(opened.log, source.clone(), opened.cursor, self.sender.clone()).await;
            let mut attempts = 0;
            while !left.is_whole {
                attempts += 1;
                if attempts > ATTEMPTS {
                    return End::Unanswered;
                }
                tokio::time::sleep(LOOK).await; // What broke the connection may last.
                let again = Beginning::again(left, tail);
                left = match self.open(&source, again.clone(), false).await {
                    Ok(opened) => copy(opened.log, source.clone(), opened.cursor, self.sender.clone()).await,
                    Err(refused) if matches!(refused.status, 401 | 403) => return End::Forbidden,
                    Err(refused) if matches!(refused.status, 400 | 404) => break_off(again),
                    Err(_) => Left { is_whole: false, ..break_off(again) },
                };
            }
            left.send_rest(&self.sender).await;
        }
        End::Complete
    }

    /// Reads all logs at the same time, also of pods that start later.
    async fn follow<R>(mut self, first: Vec<(Found, Opened<R>)>, is_gone: impl Fn() -> bool) -> End
    where
        R: AsyncBufRead + Unpin + Send + 'static,
    {
        let mut has_any = !first.is_empty() || !self.known.is_empty();
        for (found, opened) in first {
            self.spawn(found.source, opened, found.has_ended);
        }
        loop {
            let is_over = self.known.values().all(|log| matches!(log, Log::Done));
            if is_over && (is_gone() || self.wanted.ends_with_pods && has_any) {
                return if self.wanted.ends_with_pods { End::Complete } else { End::Deleted };
            }
            tokio::select! {
                Some(ended) = self.open.join_next(), if !self.open.is_empty() => {
                    if let Ok((source, left)) = ended {
                        self.ended(source, left).await;
                    }
                    continue;
                }
                () = tokio::time::sleep(LOOK) => {} // A watch of pods for each stream would cost the API server more.
            }
            match self.list().await {
                Ok((names, all)) => {
                    if let Some(end) = self.look(&names, all).await {
                        return end;
                    }
                    has_any |= !self.known.is_empty();
                }
                Err(refused) if matches!(refused.status, 401 | 403) => return End::Forbidden,
                Err(_) => {} // The next look sees what this one would have seen.
            }
        }
    }

    /// A log ended or broke.
    async fn ended(&mut self, source: Source, mut left: Left) {
        let Some(Log::Open(reading)) = self.known.get(&source) else { return };
        let mut tail = reading.tail;
        if left.cursor.is_at_begin() && tail == Some(0) {
            // Without a line, only the time says which ones are new.
            (left.cursor, tail) = (Cursor::after(Some(reading.since)), None);
        }
        if reading.has_ended && left.is_whole {
            left.send_rest(&self.sender).await;
            self.known.insert(source, Log::Done);
        } else {
            // The container ran when its log was opened, so the last lines may be missing.
            self.leave(source, Beginning::again(left, tail));
        }
    }

    /// Opens what is new, and again what broke. Returns why the stream ends, if it does.
    async fn look(&mut self, pods: &BTreeSet<String>, mut all: Vec<Found>) -> Option<End> {
        sort_by_age(&mut all);
        let by_age: Vec<Source> = all.iter().map(|found| found.source.clone()).collect();
        self.known.retain(|source, log| pods.contains(&source.pod) || !matches!(log, Log::Done));
        let left = self.known.iter().filter_map(|(source, log)| match log {
            Log::Left(beginning) => Some((source.clone(), beginning.clone())),
            _ => None,
        });
        for (source, beginning) in left.collect::<Vec<_>>() {
            let now = all.iter().find(|found| found.source.is_run_of(&source));
            let runs_after = now.map(|now| now.source.run - source.run);
            let (previous, has_ended) = match (runs_after, now) {
                (Some(0), Some(now)) => (false, now.has_ended),
                (Some(1), _) => (true, true),
                // The kubelet says nothing about the container for a moment.
                (None, _) if pods.contains(&source.pod) => continue,
                // Its log is deleted.
                _ => {
                    break_off(beginning).send_rest(&self.sender).await;
                    self.known.insert(source, Log::Done);
                    continue;
                }
            };
            match self.open(&source, beginning, previous).await {
                Ok(opened) => self.spawn(source, opened, has_ended),
                Err(refused) if matches!(refused.status, 401 | 403) => return Some(End::Forbidden),
                Err(_) => {} // The next look tries it again.
            }
        }
        for found in new_ones(&mut self.known, all) {
            let beginning = Beginning::of_later(&self.wanted);
            match self.open(&found.source, beginning, false).await {
                Ok(opened) => self.spawn(found.source, opened, found.has_ended),
                Err(refused) if matches!(refused.status, 401 | 403) => return Some(End::Forbidden),
                Err(_) => {}
            }
        }
        self.close_too_old(&by_age);
        None
    }

    /// Closes the logs of the oldest pods, if too many are open.
    fn close_too_old(&mut self, by_age: &[Source]) {
        let open = self.known.values().filter(|log| matches!(log, Log::Open(_))).count();
        let mut too_many = open.saturating_sub(MOST);
        for source in by_age {
            if too_many > 0
                && let Some(log) = self.known.get_mut(source)
                && let Log::Open(reading) = log
            {
                reading.task.abort();
                *log = Log::Done;
                too_many -= 1;
            }
        }
    }
}

/// What is left of a log that cannot be opened again.
fn break_off(beginning: Beginning) -> Left {
    Left { cursor: beginning.cursor, rest: beginning.rest, is_whole: true }
}

#[cfg(test)]
mod tests;
