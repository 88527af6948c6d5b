//! Places of connections, so that no client excludes the others. Before a caller is known, its connection waits at the
//! door: the door is never closed, but when it is crowded, the address with the most connections loses its oldest one.
//! Once the caller is known, it takes a place among those of its kind: the nodes, each namespace and the sweep have places
//! of their own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::access::Caller;

/// Connections whose caller is not known yet. Each has at most ten seconds to send its request.
const AT_THE_DOOR: usize = 128;
/// Requests of nodes at a time, and of the sweep.
const NODES: u32 = 128;
const SWEEP: u32 = 4;
/// How long a node waits for a place.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests of namespaces at a time, and of one. When few places are left, a namespace gets none beyond their number.
const NAMESPACES: u32 = 128;
const OF_ONE: usize = 16;

/// Requests by namespace.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// All places of a proxy.
#[derive(Clone)]
pub(super) struct Places {
    door: Arc<Mutex<Door>>,
    nodes: Arc<Semaphore>,
    sweep: Arc<Semaphore>,
    namespaces: Arc<Semaphore>,
    of_one: Counts,
}

#[derive(Default)]
struct Door {
    next: u64,
    waiting: HashMap<u64, (IpAddr, Arc<Notify>)>,
}

/// A connection at the door. Dropped, it has left.
pub(super) struct Visitor {
    number: u64,
    sent_away: Arc<Notify>,
    door: Arc<Mutex<Door>>,
}

/// The place of a request. Dropped, it is free again.
pub(super) struct Place {
    _one: OwnedSemaphorePermit,
    of_one: Option<(String, Counts)>,
}

impl Places {
    pub(super) fn new() -> Self {
        let many = |count| Arc::new(Semaphore::new(count as usize));
        Self {
            door: Arc::default(),
            nodes: many(NODES),
            sweep: many(SWEEP),
            namespaces: many(NAMESPACES),
            of_one: Arc::default(),
        }
    }

    /// A new connection comes to the door.
    pub(super) fn come(&self, peer: IpAddr) -> Visitor {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        if door.waiting.len() >= AT_THE_DOOR {
            door.send_one_away();
        }
        let number = door.next;
        door.next += 1;
        let sent_away = Arc::new(Notify::new());
        door.waiting.insert(number, (peer, sent_away.clone()));
        Visitor { number, sent_away, door: self.door.clone() }
    }

    /// The place for a request; `None` if those of its kind are taken. Many nodes may pull at the same time, so a node
    /// waits for a while.
    pub(super) async fn take(&self, caller: &Caller) -> Option<Place> {
        let one = match caller {
            Caller::Node => timeout(PATIENCE, self.nodes.clone().acquire_owned()).await.ok()?.ok()?,
            Caller::Sweep => self.sweep.clone().try_acquire_owned().ok()?,
            Caller::Namespace(namespace) => return self.of_namespace(namespace),
        };
        Some(Place { _one: one, of_one: None })
    }

    fn of_namespace(&self, namespace: &str) -> Option<Place> {
        let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
        let held = of_one.get(namespace).copied().unwrap_or_default();
        if held >= OF_ONE.min(self.namespaces.available_permits()) {
            return None;
        }
        let one = self.namespaces.clone().try_acquire_owned().ok()?;
        of_one.insert(namespace.to_owned(), held + 1);
        Some(Place { _one: one, of_one: Some((namespace.to_owned(), self.of_one.clone())) })
    }

    /// Waits until no request is being answered.
    pub(super) async fn empty(&self) {
        let _nodes = self.nodes.acquire_many(NODES).await;
        let _sweep = self.sweep.acquire_many(SWEEP).await;
        let _namespaces = self.namespaces.acquire_many(NAMESPACES).await;
    }
}

impl Door {
    fn send_one_away(&mut self) {
        let mut of_address: HashMap<IpAddr, usize> = HashMap::new();
        for (peer, _) in self.waiting.values() {
            *of_address.entry(*peer).or_default() += 1;
        }
        let most = of_address.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer);
        let oldest =
            self.waiting.iter().filter(|(_, (peer, _))| Some(*peer) == most).map(|(number, _)| *number).min();
        if let Some((_, sent_away)) = oldest.and_then(|number| self.waiting.remove(&number)) {
            sent_away.notify_one();
        }
    }
}

impl Visitor {
    /// Completes when this connection must make room.
    pub(super) fn sent_away(&self) -> impl Future<Output = ()> + use<> {
        let sent_away = self.sent_away.clone();
        async move { sent_away.notified().await }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((namespace, of_one)) = self.of_one.take() else { return };
        let mut of_one = of_one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of_one.get_mut(&namespace) {
            *count -= 1;
            if *count == 0 {
                of_one.remove(&namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn tenant(name: &str) -> Caller {
        Caller::Namespace(name.to_owned())
    }

    #[tokio::test]
    async fn one_namespace_cannot_take_the_places_of_others() {
        let places = Places::new();
        let held: Vec<_> = std::iter::from_fn(|| places.of_namespace("greedy")).collect();
        assert_eq!(held.len(), OF_ONE);
        assert!(places.take(&tenant("modest")).await.is_some());
        drop(held);
        assert!(places.take(&tenant("greedy")).await.is_some());
        places.empty().await;
        assert!(places.of_one.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn eight_greedy_namespaces_leave_places_for_those_who_come_later() {
        let places = Places::new();
        let mut held = vec![];
        for number in 0..8 {
            held.extend(std::iter::from_fn(|| places.of_namespace(&format!("greedy-{number}"))));
        }
        for number in 0..4 {
            let late = places.take(&tenant(&format!("late-{number}"))).await;
            held.push(late.expect("there is a place"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_namespaces_together_cannot_take_the_places_of_nodes_and_the_sweep() {
        let places = Places::new();
        let mut held = vec![];
        for number in 0..=NAMESPACES {
            held.extend(places.of_namespace(&format!("n{number}")));
        }
        assert_eq!(held.len(), NAMESPACES as usize);
        assert!(places.take(&Caller::Node).await.is_some() && places.take(&Caller::Sweep).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_waits_for_a_place() {
        let places = Places::new();
        let mut held = vec![];
        for _ in 0..NODES {
            held.extend(places.take(&Caller::Node).await);
        }
        assert!(places.take(&Caller::Node).await.is_none(), "it waited in vain");
        let (later, ()) = tokio::join!(places.take(&Caller::Node), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            held.pop();
        });
        assert!(later.is_some());
    }

    #[tokio::test]
    async fn at_a_crowded_door_the_address_with_the_most_connections_loses_its_oldest() {
        let places = Places::new();
        let (greedy, modest) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let first = places.come(modest);
        let crowd: Vec<_> = (1..AT_THE_DOOR).map(|_| places.come(greedy)).collect();
        let late = places.come(modest);
        let sent_away = |visitor: &Visitor| visitor.sent_away().now_or_never().is_some();
        assert!(sent_away(&crowd[0]));
        assert!(!sent_away(&crowd[1]) && !sent_away(&first) && !sent_away(&late));
        drop((first, crowd, late));
        assert!(places.door.lock().unwrap().waiting.is_empty());
    }
}
