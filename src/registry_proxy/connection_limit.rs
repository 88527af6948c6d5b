//! Limits of connections: in total and per address, so that no single client can exclude the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections at a time; more wait in the kernel's queue.
const ALL: u32 = 256;
/// Most connections per address at a time; more are closed at once. A node pulls a few layers of a few images at a
/// time.
const OF_ONE: usize = 64;

/// The connection slots of a proxy.
#[derive(Clone)]
pub(super) struct ConnectionLimit {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The slot of one connection; dropped, it is free again.
pub(super) struct Slot {
    peer: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _one: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(ALL as usize)), taken: Arc::default() }
    }

    /// Waits until a slot is free, for any address.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// The slot of a connection; `None` if its address has reached its limit.
    pub(super) fn take(&self, one: OwnedSemaphorePermit, peer: IpAddr) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(peer).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Slot { peer, taken: self.taken.clone(), _one: one })
    }

    /// Waits until no client is connected.
    pub(super) async fn empty(&self) {
        let _all = self.free.acquire_many(ALL).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_cannot_use_all_connections() {
        let limit = ConnectionLimit::new();
        let (greedy, modest) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut held = vec![];
        for _ in 0..OF_ONE {
            held.extend(limit.take(limit.free().await.unwrap(), greedy));
        }
        assert_eq!(held.len(), OF_ONE);
        assert!(limit.take(limit.free().await.unwrap(), greedy).is_none());
        assert!(limit.take(limit.free().await.unwrap(), modest).is_some());
        held.pop();
        assert!(limit.take(limit.free().await.unwrap(), greedy).is_some());
        held.clear();
        limit.empty().await;
        assert!(limit.taken.lock().unwrap().is_empty());
    }
}
