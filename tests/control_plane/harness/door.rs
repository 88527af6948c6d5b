//! The connection from the operator under test to the real API server. It records every request and blocks all requests
//! of a dead process.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use kube::client::Body;
use tokio::sync::{Notify, watch};
use tower::{Layer, Service};

/// One answered request.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// HTTP method; DRYRUN if nothing is stored.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
}

impl Noted {
    /// True if it changes an object other than an Event or the Lease of the operators.
    pub(crate) fn is_write(&self) -> bool {
        counts(&self.method, &self.path)
    }
}

fn counts(method: &str, path: &str) -> bool {
    !matches!(method, "GET" | "DRYRUN") && !path.contains("/events") && !path.contains("/leases")
}

/// All recorded requests.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    noted: Arc<Mutex<Vec<Noted>>>,
    dead: Arc<Mutex<bool>>,
    died: Arc<Notify>,
    under_way: Arc<watch::Sender<usize>>,
    paused: Arc<Mutex<Option<Paused>>>,
}

/// Requests that wait until they are released.
#[derive(Clone)]
struct Paused {
    part: &'static str,
    open: watch::Receiver<bool>,
    waiting: watch::Sender<usize>,
}

/// Holds requests back until it is released. Dropping it blocks them forever.
pub(crate) struct Pause {
    open: watch::Sender<bool>,
    waiting: watch::Receiver<usize>,
}

impl Pause {
    /// Waits until a request is held back.
    pub(crate) async fn reached(&mut self) {
        let waited = tokio::time::timeout(super::PATIENCE, self.waiting.wait_for(|number| *number > 0)).await;
        drop(waited.expect("no request arrived").expect("the journal exists"));
    }

    /// Releases them and all that follow.
    pub(crate) fn release(self) {
        self.open.send_replace(true);
    }
}

impl Journal {
    /// All requests so far.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        self.noted.lock().unwrap().clone()
    }

    /// The writes so far, except Events and the Lease.
    pub(crate) fn writes(&self) -> Vec<Noted> {
        self.noted().into_iter().filter(Noted::is_write).collect()
    }

    /// Waits until the process is dead.
    pub(crate) async fn died(&self) {
        let died = self.died.notified(); // Registers for the notification now, before it is polled.
        if *self.dead.lock().unwrap() {
            return;
        }
        died.await;
    }

    /// Waits until every request is answered and recorded, because a watch of the test can be faster than the answer.
    pub(crate) async fn at_rest(&self) {
        let mut under_way = self.under_way.subscribe();
        let waited = tokio::time::timeout(super::PATIENCE, under_way.wait_for(|number| *number == 0)).await;
        waited.expect("a request got no answer").expect("the journal exists");
    }

    /// Never sends or answers requests whose path contains this text, from now on.
    pub(crate) fn hold(&self, part: &'static str) {
        drop(self.pause(part));
    }

    /// Holds requests whose path contains this text until the pause is released, from now on.
    pub(crate) fn pause(&self, part: &'static str) -> Pause {
        let ((open, opened), (waiting, waits)) = (watch::channel(false), watch::channel(0));
        *self.paused.lock().unwrap() = Some(Paused { part, open: opened, waiting });
        Pause { open, waiting: waits }
    }

    async fn passes(&self, path: &str) {
        let paused = self.paused.lock().unwrap().clone().filter(|paused| path.contains(paused.part));
        let Some(mut paused) = paused else { return };
        paused.waiting.send_modify(|number| *number += 1);
        if paused.open.wait_for(|open| *open).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// True if the process is dead.
    pub(crate) fn is_dead(&self) -> bool {
        *self.dead.lock().unwrap()
    }

    /// Kills the process: it sends nothing from now on.
    pub(crate) fn die(&self) {
        *self.dead.lock().unwrap() = true;
        self.died.notify_waiters();
    }
}

/// A request in flight.
struct UnderWay(Journal);

impl UnderWay {
    fn new(journal: &Journal) -> Self {
        journal.under_way.send_modify(|number| *number += 1);
        Self(journal.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|number| *number -= 1);
    }
}

impl<S> Layer<S> for Journal {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting { inner, journal: self.clone() }
    }
}

/// See [`Journal`].
#[derive(Clone)]
pub(crate) struct Noting<S> {
    inner: S,
    journal: Journal,
}

impl<S, B> Service<Request<Body>> for Noting<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let journal = self.journal.clone();
        let uri = request.uri().clone();
        let dry_run = uri.query().is_some_and(|query| query.contains("dryRun=All"));
        let method = if dry_run { "DRYRUN".to_owned() } else { request.method().to_string() };
        let sent = self.inner.call(request); // Nothing is sent before the first poll.
        let under_way = UnderWay::new(&journal);
        Box::pin(async move {
            let _under_way = under_way;
            journal.passes(uri.path()).await;
            if journal.is_dead() {
                return std::future::pending().await;
            }
            let answer = sent.await?;
            let noted = Noted { method, path: uri.path().to_owned(), status: answer.status().as_u16() };
            journal.noted.lock().unwrap().push(noted);
            if journal.is_dead() {
                return std::future::pending().await;
            }
            Ok(answer)
        })
    }
}
