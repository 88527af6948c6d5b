//! Requests through the node port at a fixed rate, half of them on kept connections, counted by phase. The rate is
//! limited, and the requests end when the value is dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::client::{Answer, Keeping, get};

/// Requests per second.
pub const RATE: u64 = 50;

/// Results of the requests that were sent during one phase.
#[derive(Debug)]
pub struct Phase {
    /// Name of the phase.
    pub name: &'static str,
    /// Good answers, by text.
    pub answers: BTreeMap<String, u64>,
    /// Requests without a good answer.
    pub failures: Vec<Failure>,
    /// Requests that were sent twice, because a kept connection closed during the first attempt.
    pub resent: u64,
    /// Longest time of an answer.
    pub slowest: Duration,
    begun: Instant,
    took: Duration,
}

/// A request without a good answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When it was sent.
    pub sent: Timestamp,
    /// When it failed.
    pub at: Timestamp,
    /// The client's error.
    pub words: String,
}

/// Visitors that send requests all the time.
pub struct Traffic {
    phases: Arc<Mutex<Vec<Phase>>>,
    enough: Option<oneshot::Sender<()>>,
    crowd: JoinHandle<()>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sent {}, failed {}: {}", self.sent, self.at, self.words)
    }
}

impl Traffic {
    /// Starts the requests.
    pub fn start(address: &str, port: i32, phase: &'static str) -> Self {
        let phases = Arc::new(Mutex::new(vec![Phase::new(phase)]));
        let (enough, mut told) = oneshot::channel::<()>();
        let (address, noted) = (format!("{address}:{port}"), phases.clone());
        let crowd = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(1000 / RATE));
            // After a stall of the machine, the missed requests are not made up, especially not all at once.
            clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let keeping = Arc::new(Keeping::new(&address));
            let mut under_way = JoinSet::new();
            for number in 0_u64.. {
                tokio::select! {
                    _ = clock.tick() => {}
                    _ = &mut told => break,
                }
                while under_way.try_join_next().is_some() {}
                let (address, keeping, noted) = (address.clone(), keeping.clone(), noted.clone());
                let phase = lock(&noted).len() - 1;
                under_way.spawn(async move {
                    let (begun, sent) = (Instant::now(), Timestamp::now());
                    let answer = if number % 2 == 0 { keeping.get().await } else { get(&address).await };
                    lock(&noted)[phase].note(sent, answer, begun.elapsed());
                });
            }
            while under_way.join_next().await.is_some() {}
        });
        Self { phases, enough: Some(enough), crowd }
    }

    /// Starts the next phase.
    pub fn phase(&self, name: &'static str) {
        let mut phases = lock(&self.phases);
        close(&mut phases);
        phases.push(Phase::new(name));
    }

    /// Stops the requests. Returns the results once every answer has arrived.
    pub async fn end(mut self) -> Vec<Phase> {
        drop(self.enough.take());
        (&mut self.crowd).await.unwrap();
        let mut phases = std::mem::take(&mut *lock(&self.phases));
        close(&mut phases);
        for phase in &phases {
            println!("  {phase}");
        }
        phases
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.crowd.abort();
    }
}

fn close(phases: &mut [Phase]) {
    if let Some(last) = phases.last_mut() {
        last.took = last.begun.elapsed();
    }
}

/// Asserts that every request of every phase was answered, and that every phase had requests.
pub fn assert_none_lost(phases: &[Phase]) {
    for phase in phases {
        assert!(phase.answered() > 0, "no requests: {phase}");
        let failures: Vec<String> = phase.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{phase}: {failures:#?}");
    }
}

fn lock(phases: &Mutex<Vec<Phase>>) -> MutexGuard<'_, Vec<Phase>> {
    phases.lock().unwrap()
}

impl Phase {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            answers: BTreeMap::new(),
            failures: vec![],
            resent: 0,
            slowest: Duration::ZERO,
            begun: Instant::now(),
            took: Duration::ZERO,
        }
    }

    fn note(&mut self, sent: Timestamp, answer: Result<Answer, String>, took: Duration) {
        match answer {
            Ok(answer) => {
                *self.answers.entry(answer.text).or_default() += 1;
                self.resent += u64::from(answer.resent);
                self.slowest = self.slowest.max(took);
            }
            Err(words) => self.failures.push(Failure { sent, at: Timestamp::now(), words }),
        }
    }

    /// Number of requests with a good answer.
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {:.1} s, {} answered {:?}, {} failed, {} sent again, slowest {} ms",
            self.name,
            self.took.as_secs_f32(),
            self.answered(),
            self.answers,
            self.failures.len(),
            self.resent,
            self.slowest.as_millis()
        )
    }
}
