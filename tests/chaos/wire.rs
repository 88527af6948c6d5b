//! The layer between the operator under test and the real API server, below the client's own retries. It numbers
//! requests by kind, records them, and carries out the plan. It does not know what they mean.

#[path = "wire/log.rs"]
mod log;
#[path = "wire/stream.rs"]
mod stream;

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use serde_json::json;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service};

use crate::call::Call;
use crate::fault::Fault;
use crate::harness::door::Journal;
use crate::plan::Plan;

pub(crate) use log::{Asked, Log};

/// Body of an answer.
type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// The connection of one operator to the API server.
#[derive(Clone)]
pub(crate) struct Wire {
    log: Arc<Log>,
    operator: usize,
    steps: Arc<Mutex<Vec<Armed>>>,
    counts: Arc<Mutex<HashMap<Call, usize>>>,
    journal: Journal,
    /// The API server cannot stream first objects, so the operator lists.
    lists: bool,
}

/// A step of the plan that waits for its request.
struct Armed {
    place: usize,
    step: crate::plan::Step,
    seen: usize,
}

impl Wire {
    /// The connection of the n-th operator of a life, from 0.
    pub(crate) fn new(log: &Arc<Log>, plan: Option<&Plan>, operator: usize, journal: &Journal) -> Self {
        let steps = plan.map(|plan| plan.of_operator(operator)).unwrap_or_default();
        let steps = steps.into_iter().map(|(place, step)| Armed { place, step, seen: 0 }).collect();
        Self {
            log: log.clone(),
            operator,
            steps: Arc::new(Mutex::new(steps)),
            counts: Arc::default(),
            journal: journal.clone(),
            lists: plan.is_some_and(Plan::lists),
        }
    }

    /// A client with the same stack as the operator's own: retries above this layer, TLS and address below it.
    pub(crate) fn client(&self, mut config: Config) -> Client {
        config.default_retry = false;
        ClientBuilder::try_from(config)
            .unwrap()
            .with_layer(self)
            .with_layer(&RetryLayer::new(RetryPolicy::server_retry()))
            .with_layer(&self.journal)
            .build()
    }

    /// Counts a request and returns its fault with its position in the plan.
    fn count(&self, call: &Call) -> (usize, Option<(usize, Fault)>) {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        let number = *count;
        let mut befalls = None;
        for armed in self.steps.lock().unwrap().iter_mut().filter(|armed| armed.step.call.matches(call)) {
            armed.seen += 1;
            let each = armed.step.fault == Fault::StaleList && armed.step.call.resource == "*";
            let at = if each { number } else { armed.seen };
            if at == armed.step.number && !self.log.is_disarmed() {
                befalls = befalls.or(Some((armed.place, armed.step.fault)));
            }
        }
        (number, befalls)
    }
}

impl<S> Layer<S> for Wire {
    type Service = Wired<S>;

    fn layer(&self, inner: S) -> Wired<S> {
        Wired { inner: Arc::new(Mutex::new(inner)), wire: self.clone() }
    }
}

/// See [`Wire`].
pub(crate) struct Wired<S> {
    inner: Arc<Mutex<S>>,
    wire: Wire,
}

impl<S> Clone for Wired<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), wire: self.wire.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Wired<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.lock().unwrap().poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { inner, wire } = self.clone();
        Box::pin(async move {
            if wire.journal.is_dead() {
                return pending().await;
            }
            let (parts, body) = request.into_parts();
            if wire.lists && parts.uri.query().is_some_and(|query| query.contains("sendInitialEvents=true")) {
                return Ok(cannot_stream());
            }
            let body = body.collect_bytes().await?;
            let call = Call::of(&parts.method, &parts.uri);
            let (number, befalls) = wire.count(&call);
            let asked = Asked::new(wire.operator, &call, &parts.uri, &body);
            let mut entry = Entry { wire, call, number, befalls, place: 0 };
            entry.place = entry.wire.log.ask(asked);
            if let Some(answer) = entry.instead().await {
                return answer;
            }
            let sent = inner.lock().unwrap().call(Request::from_parts(parts, Body::from(body)));
            match sent.await {
                Ok(answer) => entry.answered(answer.map(BodyExt::boxed_unsync)).await,
                Err(error) => entry.alive(Err(error)).await,
            }
        })
    }
}

/// One request in flight.
struct Entry {
    wire: Wire,
    call: Call,
    number: usize,
    befalls: Option<(usize, Fault)>,
    place: usize,
}

impl Entry {
    fn strike(&self) {
        if let Some((place, fault)) = self.befalls {
            self.wire.log.strike(place, fault);
        }
    }

    /// A dead process sees no answer.
    async fn alive(&self, answer: Result<Response<Answer>, BoxError>) -> Result<Response<Answer>, BoxError> {
        if self.wire.journal.is_dead() { pending().await } else { answer }
    }

    /// What happens instead of sending the request.
    async fn instead(&self) -> Option<Result<Response<Answer>, BoxError>> {
        let (_, fault) = self.befalls?;
        match fault {
            Fault::DieBefore => {
                self.strike();
                self.wire.journal.die();
                pending().await
            }
            Fault::CutBefore => {
                self.strike();
                Some(Err(cut()))
            }
            Fault::Conflict | Fault::Invalid | Fault::TooMany | Fault::Internal | Fault::Expired => {
                self.strike();
                self.refusal(fault).map(Ok)
            }
            Fault::StaleList | Fault::StaleGet => {
                let (code, bytes) = self.wire.log.first_answer(self.place)?;
                self.strike();
                self.wire.log.answered(self.place, code, false, &bytes);
                Some(Ok(response(code, bytes)))
            }
            _ => None,
        }
    }

    /// What happens after the API server has answered.
    async fn answered(self, answer: Response<Answer>) -> Result<Response<Answer>, BoxError> {
        let (parts, body) = answer.into_parts();
        let code = parts.status.as_u16();
        if self.call.verb == "WATCH" && parts.status.is_success() {
            self.wire.log.answered(self.place, code, true, &Bytes::new());
            let Self { wire, call, number, befalls, .. } = self;
            let step = befalls.filter(|(_, fault)| fault.in_stream().is_some());
            let body = stream::told(body, wire.log, (call, number, wire.operator), step);
            return Ok(Response::from_parts(parts, body));
        }
        let bytes = body.collect().await?.to_bytes();
        self.wire.log.answered(self.place, code, true, &bytes);
        match self.befalls.map(|(_, fault)| fault) {
            Some(Fault::DieAfter) => {
                self.strike();
                self.wire.journal.die();
            }
            Some(Fault::CutAfter) => {
                self.strike();
                return Err(cut());
            }
            Some(fault @ Fault::TimeoutAfter) => {
                self.strike();
                if let Some(refusal) = self.refusal(fault) {
                    return Ok(refusal);
                }
            }
            _ => {}
        }
        self.alive(Ok(Response::from_parts(parts, whole(bytes)))).await
    }

    fn refusal(&self, fault: Fault) -> Option<Response<Answer>> {
        let (code, status) = fault.answer(&self.call, &self.wire.log.name(self.place))?;
        let mut answer = response(code, Bytes::from(status.to_string()));
        if fault == Fault::TooMany {
            answer.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
        }
        Some(answer)
    }
}

/// The answer of an API server with the feature gate `WatchList` turned off.
fn cannot_stream() -> Response<Answer> {
    let message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "message": message, "code": 422,
    });
    response(422, Bytes::from(status.to_string()))
}

fn response(code: u16, bytes: Bytes) -> Response<Answer> {
    let mut answer = Response::new(whole(bytes));
    *answer.status_mut() = http::StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    answer
}

fn whole(bytes: Bytes) -> Answer {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn cut() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection was cut").into()
}
