//! The registry as the proxy reaches it: a connection for each request, with small buffers, so that the memory of a
//! request is bounded whatever client and registry do.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use futures::Stream;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Longest wait for a connection, and for the next bytes of an answer.
const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_mins(1);
/// Longest upload of one blob, with the answer to it.
const UPLOAD: Duration = Duration::from_hours(1);
/// Bytes that a connection reads ahead.
const BUFFER: usize = 32 << 10;

/// Address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// `host:port`.
    Tcp(String),
    /// A socket file.
    Unix(PathBuf),
}

impl FromStr for Upstream {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text
            .strip_prefix("unix:")
            .map_or_else(|| Self::Tcp(text.to_owned()), |path| Self::Unix(path.into())))
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why the registry gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the request failed")]
    Request(#[from] hyper::Error),
}

impl Error {
    /// The body of the client's request failed, not the registry.
    pub(super) fn is_of_client(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_user())
    }
}

impl Upstream {
    /// Sends a request without a body.
    pub(super) async fn read(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        self.send(request, SILENCE).await
    }

    /// Sends a request with its body.
    pub(super) async fn write(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        self.send(request, UPLOAD).await
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }

    async fn send(&self, request: Request<Body>, patience: Duration) -> Result<Response<Incoming>, Error> {
        let connected = timeout(CONNECT, self.connect()).await;
        let stream =
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Connect)?;
        let mut builder = http1::Builder::new();
        let (mut sender, connection) = builder.max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
        // It ends with the answer, or when the client no longer takes it.
        tokio::spawn(connection);
        timeout(patience, sender.send_request(request))
            .await
            .map_err(|_| Error::Silent(patience))?
            .map_err(Into::into)
    }
}

trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection for S {}

/// The bytes of an answer, as they come. They fail if the registry stops in the middle.
pub(super) fn bytes(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::unfold(Some(body), |body| async {
        let mut body = body?;
        loop {
            match timeout(SILENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let Ok(bytes) = frame.into_data() else { continue }; // Trailers.
                    return Some((Ok(bytes), Some(body)));
                }
                Ok(Some(Err(error))) => return Some((Err(io::Error::other(error)), None)),
                Ok(None) => return None,
                Err(_) => {
                    return Some((
                        Err(io::Error::new(io::ErrorKind::TimedOut, "the registry is silent")),
                        None,
                    ));
                }
            }
        }
    })
}
