//! The pace of a client. A client that is waited for too long, for too few bytes, loses its connection: otherwise one
//! that reads or sends a byte now and then would keep its place for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A client must take or send so many bytes
const BYTES: usize = 256 << 10;
/// in so much time that the proxy waits for it: a pace of 8.5 KiB/s. Time in which the registry is waited for does not count.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client was waited for, and for how many bytes.
struct Pace {
    waited: Duration,
    moved: usize,
    since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Pace {
    fn new() -> Self {
        Self { waited: Duration::ZERO, moved: 0, since: None, timer: Box::pin(tokio::time::sleep(PATIENCE)) }
    }

    /// The client is waited for; ready once that took too long.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            self.timer.as_mut().reset(now + PATIENCE.saturating_sub(self.waited));
        }
        self.timer.as_mut().poll(context)
    }

    /// It has taken or sent bytes.
    fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved += bytes;
        if self.moved >= BYTES {
            self.moved = 0;
            self.waited = Duration::ZERO;
        }
    }
}

fn too_slow(verb: &str) -> io::Error {
    let seconds = PATIENCE.as_secs();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the client {verb} fewer than {BYTES} bytes in {seconds} s"),
    )
}

/// A connection that ends if its client reads too slowly.
pub(super) struct PacedReader<S> {
    stream: S,
    pace: Pace,
}

impl<S> PacedReader<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, pace: Pace::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedReader<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Ready(Ok(written)) => {
                this.pace.moved(written);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => {
                ready!(this.pace.wait(context));
                Poll::Ready(Err(too_slow("read")))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The bytes of a request, which fail if the client sends them too slowly. They are handed on as they come: nothing is
/// stored.
pub(super) fn paced(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let pace = Pace::new();
    futures::stream::unfold(Some((body, pace)), |state| async {
        let (mut body, mut pace) = state?;
        loop {
            let frame = {
                let mut frame = std::pin::pin!(body.frame());
                std::future::poll_fn(|context| match frame.as_mut().poll(context) {
                    Poll::Ready(frame) => Poll::Ready(Ok(frame)),
                    Poll::Pending => pace.wait(context).map(|()| Err(too_slow("sent"))),
                })
                .await
            };
            match frame {
                Ok(Some(Ok(frame))) => {
                    let Ok(bytes) = frame.into_data() else { continue }; // Trailers.
                    pace.moved(bytes.len());
                    return Some((Ok(bytes), Some((body, pace))));
                }
                Ok(Some(Err(error))) => return Some((Err(io::Error::other(error)), None)),
                Ok(None) => return None,
                Err(slow) => return Some((Err(slow), None)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Writes to a client that reads `bytes` every second, and returns how many bytes the client got.
    async fn sent_to_a_reader_of(bytes: usize, all: usize) -> (io::Result<()>, usize) {
        let (client, server) = tokio::io::duplex(1024);
        let reader = tokio::spawn(async move {
            let (mut client, mut got, mut buffer) = (client, 0, vec![0; bytes]);
            while let Ok(read @ 1..) = client.read(&mut buffer).await {
                got += read;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            got
        });
        let mut server = PacedReader::new(server);
        let ended = server.write_all(&vec![0; all]).await;
        drop(server);
        (ended, reader.await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_byte_now_and_then_loses_its_connection() {
        let (ended, got) = sent_to_a_reader_of(1, 1 << 20).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(got < 2048, "{got}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_goes_on_reading_gets_everything() {
        // The buffer between them holds 1 KiB, so it can never read faster than that at once.
        let (client, server) = tokio::io::duplex(16 << 10);
        let reader = tokio::spawn(async move {
            let (mut client, mut got, mut buffer) = (client, 0, vec![0; 16 << 10]);
            while let Ok(read @ 1..) = client.read(&mut buffer).await {
                got += read;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            got
        });
        let mut server = PacedReader::new(server);
        server.write_all(&vec![0; 4 << 20]).await.unwrap();
        drop(server);
        assert_eq!(reader.await.unwrap(), 4 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_is_written_does_not_count() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = PacedReader::new(server);
        let mut buffer = [0; 1024];
        for _ in 0..10 {
            server.write_all(&[0; 1024]).await.unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await; // The registry is slow.
            client.read_exact(&mut buffer).await.unwrap();
        }
    }
}
