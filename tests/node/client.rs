//! HTTP clients as visitors have them: one connection a request, or connections that are kept and used in turn.

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

/// Longest wait for one answer: browsers wait longer, and a machine may stand still for a while.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for another answer: how long it took is for the benchmarks to say.
const PATIENCE: Duration = Duration::from_mins(15);
/// Connections that are kept, so that each rests for a while between two requests.
const KEPT: usize = 8;

type Connection = SendRequest<Empty<Bytes>>;

/// A whole answer with status 200.
#[derive(Debug)]
pub struct Answer {
    /// The body, without the end of its line.
    pub text: String,
    /// It came in reply to the second sending: the connection was closed under the first one.
    pub resent: bool,
}

/// `GET /` on a connection of its own; anything but a whole 200 is an error.
pub async fn get(address: &str) -> Result<Answer, String> {
    let asked = async {
        let mut connection = connect(address).await?;
        let request = request(address, "close")?;
        let response = connection.send_request(request).await.map_err(|error| words("answer", &error))?;
        Ok(Answer { text: whole(response).await?, resent: false })
    };
    tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| "no answer in time".to_owned())?
}

/// Asks until the answer holds `text`; returns how long that took.
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
    panic!("{address} did not answer {text:?} within {PATIENCE:?}, but {last:?}");
}

/// A client that keeps its connections, as browsers and proxies do.
#[derive(Debug)]
pub struct Keeping {
    address: String,
    idle: Mutex<VecDeque<Connection>>,
}

impl Keeping {
    /// Nothing is connected yet.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), idle: Mutex::default() }
    }

    /// `GET /` on the connection that has rested longest. A server may close a kept connection at any time, also in
    /// the moment in which a request is sent on it; where not one byte of an answer has come, the request is sent once
    /// more on a new connection, as RFC 9112 (9.3.1) says that clients may and as browsers do.
    pub async fn get(&self) -> Result<Answer, String> {
        let asked = async {
            let mut resent = false;
            if let Some(mut kept) = self.rested().await {
                match kept.send_request(request(&self.address, "keep-alive")?).await {
                    Ok(response) => return Ok(Answer { text: self.read(kept, response).await?, resent }),
                    Err(error) if error.is_parse() => return Err(words("answer", &error)),
                    // Closed before anything was sent is what every client expects of a kept connection.
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
    tokio::spawn(driver); // What ends it is told to whoever waits for the answer.
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
        return Err(format!("not a 200: {status}"));
    }
    Ok(String::from_utf8_lossy(&body).trim().to_owned())
}

/// What hyper says, with its cause.
fn words(what: &str, error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    format!("{what}: {error}{cause}")
}
