//! Node ports that the API server refused lately. All projects share this memory, so that a search in a crowded range goes on
//! where the last one ended. Losing it costs only a new search. Nothing here talks to the API server.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::PortRefusal;

/// How long a refusal counts: a port may be free again.
const COUNTS: Duration = Duration::from_mins(10);

/// The last refusal of each port.
#[derive(Debug, Default)]
pub struct RefusedPorts {
    last: Mutex<HashMap<u16, (Instant, PortRefusal)>>,
}

impl RefusedPorts {
    /// Notes that the API server did not assign `port`.
    pub fn note(&self, port: u16, why: PortRefusal) {
        self.lock().insert(port, (Instant::now(), why));
    }

    /// Notes that it did, or that the answer says nothing about the port.
    pub fn forget(&self, port: u16) {
        self.lock().remove(&port);
    }

    /// Why the API server did not assign `port` lately.
    pub fn of(&self, port: u16) -> Option<PortRefusal> {
        let last = self.lock();
        last.get(&port).filter(|(at, _)| at.elapsed() < COUNTS).map(|(_, why)| *why)
    }

    /// These ports in the order of a search: as given, but those that were refused lately at the end, the oldest refusal first.
    pub fn in_order(&self, ports: &[u16]) -> Vec<u16> {
        let last = self.lock();
        let refused = |port: &u16| last.get(port).map(|(at, _)| *at).filter(|at| at.elapsed() < COUNTS);
        let mut ports = ports.to_vec();
        ports.sort_by_cached_key(refused); // Stable, and none comes first.
        ports
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, (Instant, PortRefusal)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_search_goes_on_with_the_ports_that_were_not_refused_and_then_with_the_oldest_refusals() {
        let refused = RefusedPorts::default();
        let ports = [7, 8, 9, 10];
        refused.note(8, PortRefusal::InUse);
        advance(Duration::from_secs(1)).await;
        refused.note(7, PortRefusal::OutOfRange);
        assert_eq!(refused.in_order(&ports), [9, 10, 8, 7]);
        assert_eq!([refused.of(7), refused.of(9)], [Some(PortRefusal::OutOfRange), None]);
        refused.forget(7);
        assert_eq!(refused.in_order(&ports), [7, 9, 10, 8]);
        advance(COUNTS).await;
        assert_eq!((refused.in_order(&ports), refused.of(8)), (ports.to_vec(), None));
    }
}
