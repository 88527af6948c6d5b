//! The stream of a watch, event by event, and how it ends early.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::json;
use tower::BoxError;

use super::{Answer, Log, cut};
use crate::call::Call;
use crate::fault::Fault;

/// Passes the events of a watch on and counts them. After the given number, it carries out the step.
pub(super) fn told(
    body: Answer,
    log: Arc<Log>,
    (call, number, operator): (Call, usize, usize),
    step: Option<(usize, Fault)>,
) -> Answer {
    let events = Events { pieces: Box::pin(body.into_data_stream()), rest: vec![], passed: 0, over: false };
    let events = stream::unfold((events, log), move |(mut events, log)| {
        let call = call.clone();
        async move {
            if events.over {
                return None;
            }
            let due =
                step.filter(|(_, fault)| fault.in_stream() == Some(events.passed) && !log.is_disarmed());
            if let Some((place, fault)) = due {
                log.strike(place, fault);
                events.over = true;
                let last = end(fault, &call).await;
                return Some((last, (events, log)));
            }
            let event = events.next().await?;
            if operator == 0 {
                log.told(&call, number, events.passed);
            }
            Some((event, (events, log)))
        }
    });
    StreamBody::new(events.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// The last data of a stream; a silent one sends nothing.
async fn end(fault: Fault, call: &Call) -> Result<Bytes, BoxError> {
    match (fault, fault.answer(call, "")) {
        (_, Some((_, status))) => Ok(format!("{}\n", json!({ "type": "ERROR", "object": status })).into()),
        (Fault::SilentAt(_), _) => pending().await,
        _ => Err(cut()),
    }
}

struct Events<S> {
    pieces: S,
    rest: Vec<u8>,
    passed: usize,
    over: bool,
}

impl<S: futures::Stream<Item = Result<Bytes, BoxError>> + Unpin> Events<S> {
    /// The next event with its line break, or the end of the stream.
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                self.passed += 1;
                return Some(Ok(line.into()));
            }
            match self.pieces.next().await {
                Some(Ok(piece)) => self.rest.extend_from_slice(&piece),
                Some(Err(error)) => return Some(Err(error)),
                None if self.rest.is_empty() => return None,
                None => return Some(Ok(std::mem::take(&mut self.rest).into())),
            }
        }
    }
}
