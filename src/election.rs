//! Which of several operators writes: the one that holds a Lease. The others stand by with warm caches.

pub mod candidate;
mod contest;
pub mod times;
pub mod view;

use tokio::sync::watch;

pub use candidate::Candidate;
pub use times::Times;

/// Whether this process is the one that writes.
pub trait Leadership: Send {
    /// Completes once this process leads.
    fn mine(&mut self) -> impl Future<Output = ()> + Send;

    /// Completes once this process does not lead any more.
    fn lost(&mut self) -> impl Future<Output = ()> + Send;

    /// Gives the lead to whoever waits for it. From here on nothing is written.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// What a process tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another one leads; this one would be able to.
    Standby,
    /// This one leads.
    Leading,
    /// This one could not lead if it had to; the sentence says why and what to do.
    Unable(String),
}

/// Leads always: an operator that is the only one, or is run by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Alone {
    /// What it tells of itself.
    #[must_use]
    pub fn standing(self) -> watch::Receiver<Standing> {
        watch::channel(Standing::Leading).1
    }
}

impl Leadership for Alone {
    async fn mine(&mut self) {}

    async fn lost(&mut self) {
        std::future::pending::<()>().await;
    }

    async fn release(self) {}
}
