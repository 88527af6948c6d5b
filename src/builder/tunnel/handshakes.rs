//! Places for connections that have yet to prove that they have the key. Every pod that looks like a build pod can open some.
//! If there is no place left, the peer with the most of them loses its oldest. So one with few keeps them, however
//! many others try. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// See the module.
#[derive(Clone)]
pub(super) struct Handshakes {
    most: usize,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entered: u64,
    peers: BTreeMap<IpAddr, VecDeque<Waiting>>,
}

/// A connection that has a place.
struct Waiting {
    number: u64,
    /// Dropped when another gets the place.
    _stays: oneshot::Sender<()>,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    handshakes: Handshakes,
    peer: IpAddr,
    number: u64,
    stays: oneshot::Receiver<()>,
}

impl Handshakes {
    pub(super) fn new(most: usize) -> Self {
        Self { most, inner: Arc::default() }
    }

    /// A place for a connection of this peer.
    pub(super) fn enter(&self, peer: IpAddr) -> Place {
        let (sender, stays) = oneshot::channel();
        let mut inner = self.lock();
        inner.make_room(self.most);
        inner.entered += 1;
        let number = inner.entered;
        inner.peers.entry(peer).or_default().push_back(Waiting { number, _stays: sender });
        drop(inner);
        Place { handshakes: self.clone(), peer, number, stays }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn make_room(&mut self, most: usize) {
        if self.peers.values().map(VecDeque::len).sum::<usize>() < most {
            return;
        }
        let greediest = self.peers.iter().max_by_key(|(_, waiting)| waiting.len()).map(|(peer, _)| *peer);
        let Some((peer, oldest)) =
            greediest.and_then(|peer| Some((peer, self.peers.get(&peer)?.front()?.number)))
        else {
            return;
        };
        self.leave(peer, oldest);
    }

    fn leave(&mut self, peer: IpAddr, number: u64) {
        if let Some(waiting) = self.peers.get_mut(&peer) {
            waiting.retain(|there| there.number != number);
            if waiting.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Place {
    /// Completes when another connection gets the place.
    pub(super) async fn taken(&mut self) {
        let _ = (&mut self.stays).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handshakes.lock().leave(self.peer, self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn peer(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    #[tokio::test]
    async fn a_peer_with_few_connections_keeps_them_while_others_open_many() {
        let handshakes = Handshakes::new(8);
        let mut own = handshakes.enter(peer(1));
        let mut many: Vec<Place> = (0..100).map(|number| handshakes.enter(peer(2 + number % 3))).collect();
        assert!(own.taken().now_or_never().is_none());
        let kept = many.iter_mut().filter_map(|place| place.taken().now_or_never().is_none().then_some(()));
        assert_eq!(kept.count(), 7, "the newest");
        let mut second = handshakes.enter(peer(1));
        assert!(own.taken().now_or_never().is_none() && second.taken().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_is_free_and_nothing_of_its_peer_stays() {
        let handshakes = Handshakes::new(1);
        drop(handshakes.enter(peer(1)));
        assert!(handshakes.lock().peers.is_empty());
        let mut first = handshakes.enter(peer(1));
        let mut second = handshakes.enter(peer(1));
        assert!(first.taken().now_or_never().is_some(), "the oldest goes");
        drop(first);
        assert!(second.taken().now_or_never().is_none(), "a place that is lost takes no other away");
    }
}
