//! The end in the builder pod: starts BuildKit, passes the connections of its one client on to it, and ends when that
//! client is gone.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handshakes::{Handshakes, Place};
use super::tls::{self, Purpose};
use super::{ALIVE, CONNECT, GONE, KILLS, LINE, READY};
use crate::builder::oom_kills;
use crate::protocol::builder_key::BuilderKey;
use crate::text::bounded;

/// Longest wait for the client. Its pod may have to wait for its image.
const FIRST_CONTACT: Duration = Duration::from_mins(5);

/// Connections of the client at a time. A solve has two or three.
const CONNECTIONS: usize = 128;

/// Connections at a time that have yet to prove that they have the key.
const HANDSHAKES: usize = 256;

/// Buffer of each direction of a connection, in bytes.
const BUFFER: usize = 64 << 10;

/// The state of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    /// It does not answer yet.
    Starts,
    /// It answers.
    Ready,
    /// It did not start.
    Failed(String),
}

/// Why the builder pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum End {
    /// The client said that the build has ended.
    Done,
    /// The connection of the client broke.
    Lost,
    /// No client came.
    NoClient,
}

/// Listens on the port of builder pods.
pub(in super::super) async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await, // The kernel has no IPv6.
    }
}

/// What became of the connection that stays.
enum Contact {
    Came,
    Left(End),
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    acceptor: TlsAcceptor,
    daemon: watch::Receiver<State>,
    socket: PathBuf,
    contacts: mpsc::Sender<Contact>,
    places: Arc<Semaphore>,
}

/// Serves the client of this key until it is gone. `socket` is the daemon's.
pub(in super::super) async fn serve(
    listener: TcpListener,
    key: &BuilderKey,
    daemon: watch::Receiver<State>,
    socket: &Path,
) -> Result<End, rustls::Error> {
    let acceptor = TlsAcceptor::from(Arc::new(tls::builder_side(key)?));
    let (contacts, contacted) = mpsc::channel(CONNECTIONS);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let shared = Shared { acceptor, daemon, socket: socket.to_owned(), contacts, places };
    tokio::select! {
        end = last_client_gone(contacted) => Ok(end),
        () = accept(listener, &shared) => Ok(End::Lost),
    }
}

async fn last_client_gone(mut contacts: mpsc::Receiver<Contact>) -> End {
    if tokio::time::timeout(FIRST_CONTACT, contacts.recv()).await.is_err() {
        return End::NoClient;
    }
    let mut present: usize = 1;
    while let Some(contact) = contacts.recv().await {
        match contact {
            Contact::Came => present += 1,
            Contact::Left(end) if present == 1 => return end,
            Contact::Left(_) => present -= 1,
        }
    }
    End::Lost
}

async fn accept(listener: TcpListener, shared: &Shared) {
    let handshakes = Handshakes::new(HANDSHAKES);
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await; // Too many open files, for example.
            continue;
        };
        let (place, shared) = (handshakes.enter(peer.ip()), shared.clone());
        connections.spawn(async move { answer(stream, place, &shared).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(stream: TcpStream, mut place: Place, shared: &Shared) {
    let opened = tokio::select! {
        opened = open(&shared.acceptor, stream) => opened,
        () = place.taken() => None,
    };
    drop(place);
    // Without a place, the connection is closed: BuildKit's client tries again.
    let Some((opened, _place)) = opened.zip(shared.places.clone().try_acquire_owned().ok()) else { return };
    match opened {
        (Purpose::BuildKit, client) => pass(client, shared.daemon.clone(), &shared.socket).await,
        (Purpose::Presence, client) => {
            let _ = shared.contacts.send(Contact::Came).await;
            let end = stay(client, shared.daemon.clone()).await;
            let _ = shared.contacts.send(Contact::Left(end)).await;
        }
    }
}

/// A connection of the client, and what it is for. Anyone else gets no further.
async fn open(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<(Purpose, TlsStream<TcpStream>)> {
    stream.set_nodelay(true).ok()?;
    let client = tokio::time::timeout(CONNECT, acceptor.accept(stream)).await.ok()?.ok()?;
    let purpose = Purpose::agreed(client.get_ref().1.alpn_protocol())?;
    Some((purpose, client))
}

/// Says when the daemon is ready, and answers questions until the client is gone.
async fn stay(mut client: TlsStream<TcpStream>, mut daemon: watch::Receiver<State>) -> End {
    let state = match daemon.wait_for(|daemon| *daemon != State::Starts).await {
        Ok(state) => state.clone(),
        Err(_) => return End::Lost,
    };
    let said = match &state {
        State::Failed(why) => {
            bounded(&why.replace(['\n', '\r'], " "), usize::try_from(LINE).unwrap_or(4096) / 2)
        }
        State::Ready | State::Starts => READY.to_owned(),
    };
    if client.write_all(format!("{said}\n").as_bytes()).await.is_err() || client.flush().await.is_err() {
        return End::Lost;
    }
    loop {
        let mut sent = [0];
        match tokio::time::timeout(GONE, client.read(&mut sent)).await {
            Ok(Ok(0)) => return End::Done, // TLS tells a goodbye from a connection that broke, which is an error.
            Ok(Ok(_)) if sent == [ALIVE] => {} // From a build pod of the version before.
            Ok(Ok(_)) if sent == [KILLS] => {
                let answer = format!("{}\n", oom_kills::ended());
                if client.write_all(answer.as_bytes()).await.is_err() || client.flush().await.is_err() {
                    return End::Lost;
                }
            }
            Ok(_) | Err(_) => return End::Lost,
        }
    }
}

async fn pass(mut client: TlsStream<TcpStream>, mut daemon: watch::Receiver<State>, socket: &Path) {
    if daemon.wait_for(|daemon| *daemon == State::Ready).await.is_err() {
        return;
    }
    if let Ok(mut buildkit) = UnixStream::connect(socket).await {
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut buildkit, BUFFER, BUFFER).await;
    }
}
