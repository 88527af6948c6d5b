//! The log of one container. A log that breaks off while its container runs is opened again.

use std::sync::Arc;
use std::time::Duration;

use kube::api::LogParams;
use tokio::sync::mpsc;

use super::lines::{next, split};
use super::position::Position;
use super::{Line, Origin, show, start, why_not};
use crate::cli::arguments::Logs;
use crate::cli::door::Door;
use crate::cli::screen::Screen;

/// Attempts to open a log again, and the pause before the first of them.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// Why a log cannot be read on.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The API server gives none.
    Api(Box<kube::Error>),
    /// The connection broke.
    Broken(std::io::Error),
}

fn params(origin: &Origin, verb: &Logs, follow: bool, position: &Position) -> LogParams {
    let since_time = position.since();
    let is_first = since_time.is_none();
    LogParams {
        container: Some(origin.container.clone()),
        follow,
        since_time,
        since_seconds: verb.since.and_then(|since| i64::try_from(since.as_secs()).ok()).filter(|_| is_first),
        tail_lines: verb.tail.filter(|_| is_first),
        timestamps: true,
        ..LogParams::default()
    }
}

/// Passes the lines from a position on to `take`, until the log ends or `take` returns false.
async fn pass(
    door: &Door,
    origin: &Arc<Origin>,
    params: &LogParams,
    position: &mut Position,
    mut take: impl AsyncFnMut(Line) -> bool,
) -> Result<(), ReadError> {
    let reader = door.log(&origin.pod, params).await.map_err(|error| ReadError::Api(Box::new(error)))?;
    let mut reader = std::pin::pin!(reader);
    while let Some(line) = next(&mut reader).await.map_err(ReadError::Broken)? {
        let (time, text) = split(&line);
        if !position.is_new(time.map(|(time, _)| time)) {
            continue;
        }
        let time = time.map(|(_, text)| text.to_owned()).unwrap_or_default();
        if !take(Line { from: origin.clone(), time, text: text.to_vec() }).await {
            break;
        }
    }
    Ok(())
}

/// Prints one log as it is now. Returns the number of its lines.
pub(super) async fn stream(
    door: &Door,
    origin: &Arc<Origin>,
    verb: &Logs,
    screen: &Screen,
) -> Result<usize, ReadError> {
    let mut position = Position::default();
    let mut printed = 0;
    let params = params(origin, verb, false, &position);
    let take = async |line: Line| {
        show(screen, verb.output, &line);
        printed += 1;
        true
    };
    pass(door, origin, &params, &mut position, take).await?;
    Ok(printed)
}

/// Passes the lines of one container on until it ends. Returns why the log cannot be read on, if that is so.
pub(super) async fn read(
    door: &Door,
    origin: Arc<Origin>,
    verb: &Logs,
    send: mpsc::Sender<Line>,
    begun: i32,
) -> Option<String> {
    let mut position = Position::default();
    let mut attempt = 0;
    loop {
        let params = params(&origin, verb, true, &position);
        let mut any = false;
        let take = async |line: Line| {
            any = true;
            send.send(line).await.is_ok()
        };
        let ended = pass(door, &origin, &params, &mut position, take).await;
        if send.is_closed() {
            return None;
        }
        attempt = if any { 0 } else { attempt + 1 };
        match &ended {
            Ok(()) if !still_runs(door, &origin, begun).await => return None,
            Err(ReadError::Api(error)) if is_final(error) => {}
            _ if attempt < ATTEMPTS => {
                tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
                position.opened_again();
                continue;
            }
            Ok(()) => return None,
            Err(_) => {}
        }
        return ended.err().map(|error| why_not(&origin, &error, &door.flags));
    }
}

/// Whether the API server will not answer otherwise.
fn is_final(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 401 | 403 | 404))
}

/// Whether the container runs since the same start: then its log ended because a connection did.
async fn still_runs(door: &Door, origin: &Origin, begun: i32) -> bool {
    let pod = door.pod(&origin.pod).await.ok().flatten();
    pod.is_some_and(|pod| {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let mut own = statuses.filter(|status| status.name == origin.container);
        let runs = own.any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()));
        runs && start(&pod, &origin.container).is_some_and(|(_, restarts)| restarts == begun)
    })
}
