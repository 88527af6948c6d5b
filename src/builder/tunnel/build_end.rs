//! The end in the build pod. BuildKit's client connects to a socket file; each of its connections goes to the builder pod
//! as one of its own. One more connection stays as long as the build works.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{self, Purpose};
use super::{CONNECT, GONE, KILLS, LINE, READY, SIGN_OF_LIFE};
use crate::protocol::builder_key::BuilderKey;

/// Longest wait for a builder pod that has not started yet. It may have to wait for its image.
const PATIENCE: Duration = Duration::from_mins(3);

/// Pause between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest wait for the answer to a question.
const ANSWER: Duration = Duration::from_secs(5);

/// Buffer of each direction of a connection, in bytes.
const BUFFER: usize = 64 << 10;

/// An open connection to the builder pod. When it is dropped, the builder pod ends.
pub(in super::super) struct Tunnel {
    questions: mpsc::Sender<Question>,
    lost: watch::Receiver<bool>,
    /// They end with the tunnel.
    _tasks: JoinSet<()>,
}

type Presence = BufReader<TlsStream<TcpStream>>;

/// Where the answer goes: how many programs the kernel ended for memory.
type Question = oneshot::Sender<u64>;

impl Tunnel {
    /// Waits until the daemon of the builder pod at `address` (`host:port`) answers, and listens at `socket` for clients
    /// of the daemon. The error says why it does not answer.
    pub(in super::super) async fn open(
        address: &str,
        key: &BuilderKey,
        socket: &Path,
    ) -> Result<Self, String> {
        Self::open_within(PATIENCE, address, key, socket).await
    }

    async fn open_within(
        patience: Duration,
        address: &str,
        key: &BuilderKey,
        socket: &Path,
    ) -> Result<Self, String> {
        let settings =
            |purpose| tls::build_side(key, purpose).map(Arc::new).map_err(|error| error.to_string());
        let (presence, buildkit) = (settings(Purpose::Presence)?, settings(Purpose::BuildKit)?);
        let presence = present(patience, address, &presence).await?;
        let listener = UnixListener::bind(socket);
        let listener = listener.map_err(|error| format!("cannot listen at {}: {error}", socket.display()))?;
        let (questions, asked) = mpsc::channel(1);
        let (tell, lost) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let broke = keep(presence, asked).await.is_err();
            tell.send_replace(broke);
        });
        tasks.spawn(forward(listener, address.to_owned(), buildkit));
        Ok(Self { questions, lost, _tasks: tasks })
    }

    /// How many programs of the builder pod the kernel ended for memory so far; `None` if the pod does not answer.
    pub(in super::super) async fn kills(&self) -> Option<u64> {
        let asked = async {
            let (question, answer) = oneshot::channel();
            let sent = self.questions.send(question).await;
            let answer = if sent.is_ok() { answer.await.ok() } else { None };
            if answer.is_none() {
                let _ = self.lost.clone().wait_for(|lost| *lost).await; // It is about to say why.
            }
            answer
        };
        tokio::time::timeout(ANSWER, asked).await.ok()?
    }

    /// The connection broke: the builder pod or its node is gone.
    pub(in super::super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Completes when the connection breaks.
    pub(in super::super) async fn lost(&self) {
        if self.lost.clone().wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await; // It ended without breaking.
        }
    }

    /// Says that the build has ended, so that the builder pod succeeds.
    pub(in super::super) async fn end(mut self) {
        drop(self.questions);
        let _ = tokio::time::timeout(ANSWER, self.lost.changed()).await; // The goodbye was sent.
    }
}

/// Opens the connection that stays, and waits until the daemon is ready.
async fn present(
    patience: Duration,
    address: &str,
    settings: &Arc<ClientConfig>,
) -> Result<Presence, String> {
    let started = Instant::now();
    loop {
        let connected = match connect(address, settings).await {
            Ok(stream) => {
                let mut presence = BufReader::new(stream);
                match tokio::time::timeout(GONE + CONNECT, line(&mut presence)).await {
                    Ok(Ok(text)) if text == READY => return Ok(presence),
                    Ok(Ok(why)) if !why.is_empty() => return Err(why),
                    Ok(Ok(_)) => "it ended".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "its daemon did not start".to_owned(),
                }
            }
            Err(error) => error.to_string(),
        };
        if started.elapsed() > patience {
            return Err(format!("it did not answer within {} s: {connected}", patience.as_secs()));
        }
        tokio::time::sleep(PAUSE).await; // No event reports that a pod of another namespace listens.
    }
}

async fn connect(address: &str, settings: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let opened = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(settings.clone()).connect(tls::server_name(), stream).await
    };
    tokio::time::timeout(CONNECT, opened).await.unwrap_or_else(|_| Err(no_answer()))
}

/// One line without its end; empty at the end of the stream.
async fn line(presence: &mut Presence) -> std::io::Result<String> {
    let mut text = String::new();
    presence.take(LINE).read_line(&mut text).await?;
    Ok(text.trim_end().to_owned())
}

/// Asks for the number of killed programs now and then, as a sign of life of both pods, and whenever there is a question.
/// Says goodbye when no question can come any more. The error is that of the connection.
async fn keep(mut presence: Presence, mut questions: mpsc::Receiver<Question>) -> std::io::Result<()> {
    loop {
        let question = tokio::select! {
            question = questions.recv() => match question {
                Some(question) => Some(question),
                None => return presence.shutdown().await,
            },
            () = tokio::time::sleep(SIGN_OF_LIFE) => None,
            // It says nothing unasked.
            _ = presence.fill_buf() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        };
        let answered = async {
            presence.write_all(&[KILLS]).await?;
            presence.flush().await?;
            line(&mut presence).await
        };
        let answer = tokio::time::timeout(GONE, answered).await.map_err(|_| no_answer())??;
        let answer = answer.parse().map_err(|_| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?;
        if let Some(question) = question {
            let _ = question.send(answer); // Nothing waits for a late answer.
        }
    }
}

fn no_answer() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer")
}

/// Passes each connection of BuildKit's client on.
async fn forward(listener: UnixListener, address: String, settings: Arc<ClientConfig>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (address, settings) = (address.clone(), settings.clone());
        connections.spawn(async move { pass(client, &address, &settings).await });
        while connections.try_join_next().is_some() {}
    }
}

/// If it cannot connect, the client's connection is closed, and the client says so.
async fn pass(mut client: UnixStream, address: &str, settings: &Arc<ClientConfig>) {
    if let Ok(mut builder) = connect(address, settings).await {
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut builder, BUFFER, BUFFER).await;
    }
}

#[cfg(test)]
mod tests;
