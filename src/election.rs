//! Leader election: the operator that holds the Lease writes. The others stand by with warm caches.

pub mod candidate;
pub mod lease;
mod lease_loop;
pub mod times;

use tokio::sync::watch;

pub use candidate::Candidate;
pub use times::Times;

/// Whether this process is the leader.
pub trait Leadership: Send {
    /// Completes once this process leads.
    fn mine(&mut self) -> impl Future<Output = ()> + Send;

    /// Completes once this process no longer leads.
    fn lost(&mut self) -> impl Future<Output = ()> + Send;

    /// Releases the Lease for the next leader. This process writes nothing afterwards.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// State of this process in the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another process leads; this one could take over.
    Standby,
    /// This process leads.
    Leading,
    /// This process could not take over; the message says why and what to do.
    Unable(String),
}

/// Always leads: for a single operator, or one that is run by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Alone {
    /// Its state, for the health endpoints.
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
