//! Requests through the node port, a new connection each, at a steady rate that is bounded in rate and ends with the
//! value.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Requests a second.
const RATE: u64 = 20;
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that asks all the time.
pub struct Traffic {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    answers: BTreeMap<String, u64>,
    failures: Vec<String>,
}

impl Traffic {
    /// Begins to ask.
    pub fn start(address: &str, port: i32) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (address, noted) = (format!("{address}:{port}"), seen.clone());
        let begun = Instant::now();
        let task = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(1000 / RATE));
            loop {
                clock.tick().await;
                let (address, noted) = (address.clone(), noted.clone());
                tokio::spawn(async move {
                    let answer = get(&address).await;
                    let mut noted = noted.lock().unwrap();
                    match answer {
                        Ok(text) => *noted.answers.entry(text).or_default() += 1,
                        Err(error) => {
                            noted.failures.push(format!("{:.1} s: {error}", begun.elapsed().as_secs_f32()));
                        }
                    }
                });
            }
        });
        Self { seen, task }
    }

    /// Requests that got no good answer.
    pub fn failures(&self) -> Vec<String> {
        self.seen.lock().unwrap().failures.clone()
    }

    /// Good answers, by their text.
    pub fn answers(&self) -> BTreeMap<String, u64> {
        self.seen.lock().unwrap().answers.clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The body of `GET /`; anything but a whole 200 is an error.
pub async fn get(address: &str) -> Result<String, String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
        let request = format!("GET / HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| format!("write: {error}"))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(|error| format!("read: {error}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("cut off: {answer:?}"))?;
        if head.lines().next().is_some_and(|line| line.contains(" 200 ")) {
            return Ok(body.trim().to_owned());
        }
        Err(format!("not a 200: {}", head.lines().next().unwrap_or_default()))
    };
    tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| "no answer in time".to_owned())?
}

/// Asks until the answer is `text`; returns how long that took.
pub async fn until_answer(address: &str, port: i32, text: &str, patience: Duration) -> Duration {
    let (begun, address) = (Instant::now(), format!("{address}:{port}"));
    let mut clock = tokio::time::interval(Duration::from_millis(50));
    let mut last = Err("never asked".to_owned());
    while begun.elapsed() < patience {
        clock.tick().await;
        last = get(&address).await;
        if last.as_deref() == Ok(text) {
            return begun.elapsed();
        }
    }
    panic!("{address} did not answer {text:?} within {patience:?}, but {last:?}");
}
