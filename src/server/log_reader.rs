//! Reads one log line by line.

use futures::io::AsyncBufRead;
use tokio::sync::mpsc;

use super::event_stream::End;
use super::log_lines::{LONGEST, Line};
use super::log_sources::Source;
use crate::text::lines::{Read, Times, next};
use crate::view::log_cursor::Cursor;

/// What the readers of a stream send to it.
pub(super) type Sender = mpsc::Sender<Result<Line, End>>;

/// What is left of a log that was read.
#[derive(Debug)]
pub(super) struct Left {
    /// Up to where lines were sent.
    pub(super) cursor: Cursor,
    /// The begin of a line without its end. If the log has no more, it is its last line.
    pub(super) rest: Option<Line>,
    /// It was read to its end. Else its connection broke.
    pub(super) is_whole: bool,
}

impl Left {
    /// Sends the last line if it has no end.
    pub(super) async fn send_rest(mut self, sender: &Sender) {
        let Some(line) = self.rest.take() else { return };
        let time = line.time.parse().ok();
        if self.cursor.take(time, &line.text) {
            let _ = sender.send(Ok(line)).await; // Without a client, nobody misses it.
        }
    }
}

/// Copies the lines that the cursor lacks, until the log ends or breaks, or no client reads.
pub(super) async fn copy<R: AsyncBufRead + Unpin>(
    mut log: R,
    source: Source,
    mut cursor: Cursor,
    sender: Sender,
) -> Left {
    let (mut bytes, mut times) = (vec![], Times::default());
    loop {
        let read = match next(&mut log, &mut bytes, LONGEST).await {
            Ok(Read::End) => return Left { cursor, rest: None, is_whole: true },
            Ok(read) => read,
            Err(_) => return Left { cursor, rest: None, is_whole: false },
        };
        let Some(text) = times.text(read, &bytes) else { continue };
        let text = String::from_utf8_lossy(text).into_owned();
        let line = Line { time: times.last().to_owned(), pod: source.pod.clone(), stage: source.stage, text };
        if read == Read::Unfinished {
            return Left { cursor, rest: Some(line), is_whole: true };
        }
        if cursor.take(line.time.parse().ok(), &line.text) && sender.send(Ok(line)).await.is_err() {
            return Left { cursor, rest: None, is_whole: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor as Bytes;

    use super::*;

    fn source() -> Source {
        Source { pod: "p".to_owned(), container: "app", stage: "app", run: 0 }
    }

    #[tokio::test]
    async fn the_time_of_a_line_comes_from_the_kubelet_and_never_from_the_app() {
        let time = "2026-11-30T12:00:00Z";
        let head = "x".repeat(LONGEST - time.len() - 1);
        let text =
            format!("{time} {head}9999-01-01T00:00:00Z forged\r\0\nno time\n2026-aaaaaaaaaaaaaaa\0 odd\n");
        let (sender, mut lines) = mpsc::channel(9);
        copy(Bytes::new(text.into_bytes()), source(), Cursor::default(), sender).await;
        let mut read = vec![];
        while let Some(line) = lines.recv().await {
            let line = line.unwrap();
            assert_eq!(line.time, time);
            read.push(line.text);
        }
        assert_eq!(read, [&head, "9999-01-01T00:00:00Z forged\r\0", "no time", "2026-aaaaaaaaaaaaaaa\0 odd"]);
    }

    #[tokio::test]
    async fn a_long_line_that_broke_in_its_middle_comes_once() {
        let line = format!("2026-11-30T12:00:00Z {}", "abc".repeat(LONGEST));
        let (sender, mut lines) = mpsc::channel(99);
        let mut cursor = Cursor::default();
        for end in [LONGEST + 100, line.len()] {
            cursor.opens();
            let text = format!("{}{}", &line[..end], if end == line.len() { "\n" } else { "" });
            let left = copy(Bytes::new(text.into_bytes()), source(), cursor, sender.clone()).await;
            cursor = left.cursor;
        }
        drop(sender);
        let mut all = String::new();
        while let Some(piece) = lines.recv().await {
            all.push_str(&piece.unwrap().text);
        }
        assert_eq!(all, "abc".repeat(LONGEST));
    }
}
