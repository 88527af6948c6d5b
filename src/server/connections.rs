//! Connections of clients: how many, how fast, and how they end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

/// Time in which a client must send the head of a request, also the next one on an open connection.
const HEAD: Duration = Duration::from_secs(10);

/// Time without progress after which an answer is given up. It is longer than the pause between two signs of life.
const STUCK: Duration = Duration::from_secs(30);

/// Bytes that the kernel holds for a client that does not read.
const SEND_BUFFER: u32 = 64 << 10;

/// Largest head of a request.
const HEAD_BYTES: usize = 64 << 10;

/// Time for running answers after the signal to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// One address may have this part of the connections, and no more than are free. So however many an address takes, another one
/// gets in: two have a quarter each, four a fifth, and a hundred leave a hundredth free.
const SHARE: usize = 4;

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_secs(1);

/// Address of the client of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The open connections, and those of each address.
#[derive(Default)]
struct Open {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// Who has the connections.
#[derive(Clone)]
struct Peers {
    open: Arc<Mutex<Open>>,
    most: usize,
}

impl Peers {
    fn new(most: usize) -> Self {
        Self { open: Arc::default(), most }
    }

    /// A connection of this address; none if it has too many.
    fn admit(&self, peer: IpAddr) -> Option<Admitted> {
        let peer = peer.to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.of.get(&peer).copied().unwrap_or(0);
        let free = self.most.saturating_sub(open.all);
        if own >= (self.most / SHARE).max(1) || own >= free {
            return None;
        }
        open.all += 1;
        *open.of.entry(peer).or_insert(0) += 1;
        drop(open);
        Some(Admitted { peers: self.clone(), peer })
    }
}

/// Counts a connection while it is open.
struct Admitted {
    peers: Peers,
    peer: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(count) = open.of.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.of.remove(&self.peer);
            }
        }
    }
}

/// Binds to `address`. `::` means all addresses, also of IPv4, and also where the kernel has no IPv6.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = bind(address);
    if bound.is_err() && address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
    }
    bound
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?; // Connections inherit it.
    socket.bind(address)?;
    socket.listen(1024)
}

/// Serves until `ends` says so, then finishes running answers. At most `most` connections are open.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    most: usize,
    mut ends: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(most));
    let peers = Peers::new(most);
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    // One address must not take all places. The client sees a closed connection.
                    let Some(own) = peers.admit(peer.ip()) else { continue };
                    let connection = connection(stream, peer.ip(), router.clone(), ends.clone());
                    open.spawn(async move {
                        connection.await;
                        drop((place, own));
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await; // Too many open files, for example: no event reports the end.
                }
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
            () = ended(&mut ends) => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, async { while open.join_next().await.is_some() {} }).await;
}

/// Completes when the server shuts down.
pub(super) async fn ended(ends: &mut watch::Receiver<bool>) {
    let _ = ends.wait_for(|ends| *ends).await; // The sender lives as long as the server.
}

async fn connection(stream: TcpStream, peer: IpAddr, router: Router, mut ends: watch::Receiver<bool>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move { router.oneshot(request.map(axum::body::Body::new)).await.map_err(|never: Infallible| never) }
    });
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(Unstuck::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => return, // It is normal that a client disconnects in the middle of an answer.
        () = ended(&mut ends) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A connection whose writes fail if the client takes nothing for [`STUCK`].
struct Unstuck {
    stream: TcpStream,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Unstuck {
    fn new(stream: TcpStream) -> Self {
        Self { stream, deadline: None }
    }

    fn judge<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let deadline =
            self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STUCK)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl AsyncRead for Unstuck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Unstuck {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_part_of_the_connections_and_a_closed_one_frees_its_place() {
        let peers = Peers::new(8);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        let first = peers.admit(one).unwrap();
        let _second = peers.admit(mapped).unwrap();
        assert!(peers.admit(one).is_none() && peers.admit(other).is_some());
        drop(first);
        assert!(peers.admit(one).is_some());
    }
    #[test]
    fn addresses_that_take_all_they_can_leave_a_place_for_the_next_one() {
        for greedy in [1, 4, 100] {
            let (peers, mut open) = (Peers::new(2000), vec![]);
            for _ in 0..2000 {
                let taken = (0..greedy).filter_map(|peer| peers.admit(IpAddr::from([10, 0, 0, peer])));
                open.extend(taken);
            }
            assert!(open.len() < 2000, "{greedy} addresses have {} connections", open.len());
            assert!(peers.admit(IpAddr::from([10, 0, 1, 1])).is_some(), "after {greedy} addresses");
        }
    }

    #[test]
    fn many_addresses_with_one_connection_each_fill_all_places() {
        let peers = Peers::new(100);
        let open: Vec<_> = (0..100).filter_map(|peer| peers.admit(IpAddr::from([10, 0, 0, peer]))).collect();
        assert_eq!(open.len(), 100);
    }
}
