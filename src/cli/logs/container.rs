//! The log of one container. A log that breaks off while its container runs is opened again.

use std::sync::Arc;
use std::time::Duration;

use kube::api::LogParams;
use tokio::sync::mpsc;

use super::{LONGEST, Line, Origin, show, start, why_not};
use crate::cli::arguments::Logs;
use crate::cli::door::Door;
use crate::cli::screen::Screen;
use crate::text::lines::{Read, Times, next};
use crate::view::log_cursor::Cursor;

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

fn params(origin: &Origin, verb: &Logs, follow: bool, cursor: &mut Cursor) -> LogParams {
    let since_time = cursor.opens();
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

/// Passes the lines that the cursor lacks on to `take`, until the log ends or `take` returns false. Returns the begin of a last
/// line without its end.
async fn pass(
    door: &Door,
    origin: &Arc<Origin>,
    params: &LogParams,
    cursor: &mut Cursor,
    mut take: impl AsyncFnMut(Line) -> bool,
) -> Result<Option<Line>, ReadError> {
    let reader = door.log(&origin.pod, params).await.map_err(|error| ReadError::Api(Box::new(error)))?;
    let mut reader = std::pin::pin!(reader);
    let (mut bytes, mut times) = (vec![], Times::default());
    loop {
        let read = next(&mut reader, &mut bytes, LONGEST).await.map_err(ReadError::Broken)?;
        if read == Read::End {
            return Ok(None);
        }
        let Some(text) = times.text(read, &bytes) else { continue };
        let line = Line { from: origin.clone(), time: times.last().to_owned(), text: text.to_vec() };
        if read == Read::Unfinished {
            return Ok(Some(line));
        }
        if is_new(cursor, &line) && !take(line).await {
            return Ok(None);
        }
    }
}

fn is_new(cursor: &mut Cursor, line: &Line) -> bool {
    cursor.take(line.time.parse().ok(), &String::from_utf8_lossy(&line.text))
}

/// Prints one log as it is now. Returns the number of its lines.
pub(super) async fn stream(
    door: &Door,
    origin: &Arc<Origin>,
    verb: &Logs,
    screen: &Screen,
) -> Result<usize, ReadError> {
    let mut cursor = Cursor::default();
    let mut printed = 0;
    let params = params(origin, verb, false, &mut cursor);
    let take = async |line: Line| {
        show(screen, verb.output, &line);
        printed += 1;
        true
    };
    let rest = pass(door, origin, &params, &mut cursor, take).await?;
    if let Some(line) = &rest {
        show(screen, verb.output, line);
    }
    Ok(printed + usize::from(rest.is_some()))
}

/// Passes the lines of one container on until it ends. Returns why the log cannot be read on, if that is so.
pub(super) async fn read(
    door: &Door,
    origin: Arc<Origin>,
    verb: &Logs,
    send: mpsc::Sender<Line>,
    begun: i32,
) -> Option<String> {
    let mut cursor = Cursor::default();
    let mut attempt = 0;
    loop {
        let params = params(&origin, verb, true, &mut cursor);
        let mut any = false;
        let take = async |line: Line| {
            any = true;
            send.send(line).await.is_ok()
        };
        let ended = pass(door, &origin, &params, &mut cursor, take).await;
        if send.is_closed() {
            return None;
        }
        attempt = if any { 0 } else { attempt + 1 };
        let goes_on = match &ended {
            // Its connection ended, not its container.
            Ok(_) => still_runs(door, &origin, begun).await,
            Err(ReadError::Api(error)) => !is_final(error),
            Err(ReadError::Broken(_)) => true,
        };
        if goes_on && attempt < ATTEMPTS {
            tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
            continue;
        }
        return match ended {
            Ok(rest) => {
                let rest = rest.filter(|line| is_new(&mut cursor, line));
                if let Some(line) = rest {
                    let _ = send.send(line).await; // The person has left.
                }
                None
            }
            Err(error) => Some(why_not(&origin, &error, &door.flags)),
        };
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
