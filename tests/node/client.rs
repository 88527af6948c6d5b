//! HTTP clients like those of visitors: one connection per request, or kept connections used in turn.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HOST};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

/// Longest wait for one answer: shorter than that of browsers, and a machine may stall for a while.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a changed answer. Benchmarks report how long it takes.
const PATIENCE: Duration = Duration::from_mins(15);
/// Number of kept connections, so that each one is idle between two requests.
const KEPT: usize = 8;

type Connection = SendRequest<Empty<Bytes>>;

/// A complete answer with status 200.
#[derive(Debug)]
pub struct Answer {
    /// The body without its final line break.
    pub text: String,
    /// True if it answers the second attempt, because the connection closed during the first.
    pub resent: bool,
}

/// Sends `GET /` on a new connection. Anything but a complete 200 is an error.
pub async fn get(address: &str) -> Result<Answer, String> {
    let asked = async {
        let mut connection = connect(address).await?;
        let request = request(address, "close")?;
        let response = connection.send_request(request).await.map_err(|error| words("answer", &error))?;
        Ok(Answer { text: whole(response).await?, resent: false })
    };
    tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| "no answer in time".to_owned())?
}

/// Repeats the request until the answer contains `text`. Returns how long that took.
pub async fn until_answer(address: &str, port: i32, text: &str) -> Duration {
    let (begun, address) = (Instant::now(), format!("{address}:{port}"));
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last = Err("never asked".to_owned());
    while begun.elapsed() < PATIENCE {
        clock.tick().await;
        last = get(&address).await.map(|answer| answer.text);
        if last.as_ref().is_ok_and(|last| last.contains(text)) {
            return begun.elapsed();
        }
    }
    panic!("{address} did not answer {text:?} within {PATIENCE:?}; last: {last:?}");
}

/// A client that keeps its connections, like browsers and proxies.
#[derive(Debug)]
pub struct Keeping {
    address: String,
    idle: Mutex<VecDeque<Connection>>,
}

impl Keeping {
    /// Creates a client without connections.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), idle: Mutex::default() }
    }

    /// Sends `GET /` on the connection that was idle longest. A server may close a kept connection at any time, even
    /// while a request is sent. If no byte of an answer has arrived, the client sends the request once more on a new
    /// connection, as RFC 9112 (9.3.1) permits and as browsers do.
    pub async fn get(&self) -> Result<Answer, String> {
        let asked = async {
            let mut resent = false;
            if let Some(mut kept) = self.rested().await {
                match kept.send_request(request(&self.address, "keep-alive")?).await {
                    Ok(response) => return Ok(Answer { text: self.read(kept, response).await?, resent }),
                    Err(error) if error.is_parse() => return Err(words("answer", &error)),
                    // Every client expects a kept connection to close before it sends.
                    Err(error) => resent = !error.is_canceled(),
                }
            }
            let mut new = connect(&self.address).await?;
            let sent = new.send_request(request(&self.address, "keep-alive")?).await;
            let response = sent.map_err(|error| words("answer", &error))?;
            Ok(Answer { text: self.read(new, response).await?, resent })
        };
        tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| "no answer in time".to_owned())?
    }

    async fn rested(&self) -> Option<Connection> {
        let mut connection = {
            let mut idle = self.idle.lock().unwrap();
            idle.retain(|connection| !connection.is_closed());
            if idle.len() < KEPT { None } else { idle.pop_front() }
        }?;
        connection.ready().await.is_ok().then_some(connection)
    }

    async fn read(&self, connection: Connection, response: Response<Incoming>) -> Result<String, String> {
        let text = whole(response).await?;
        self.idle.lock().unwrap().push_back(connection);
        Ok(text)
    }
}

async fn connect(address: &str) -> Result<Connection, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
    let (connection, driver) =
        handshake(TokioIo::new(stream)).await.map_err(|error| words("begin", &error))?;
    tokio::spawn(driver); // The task that waits for the answer gets the error.
    Ok(connection)
}

fn request(address: &str, connection: &str) -> Result<Request<Empty<Bytes>>, String> {
    let request = Request::get("/").header(HOST, address).header(CONNECTION, connection);
    request.body(Empty::new()).map_err(|error| error.to_string())
}

async fn whole(response: Response<Incoming>) -> Result<String, String> {
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| words("cut off", &error))?.to_bytes();
    if status != 200 {
        return Err(format!("not 200: {status}"));
    }
    Ok(String::from_utf8_lossy(&body).trim().to_owned())
}

/// hyper's error with its cause.
fn words(what: &str, error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    format!("{what}: {error}{cause}")
}
