//! Lines of bytes: a log may have any byte, and a line without an end must not fill the memory.

use std::io;

use futures::{AsyncBufRead, AsyncBufReadExt as _};
use jiff::Timestamp;

/// Longest line in bytes. A longer one is printed in pieces.
const LONGEST: usize = 64 << 10;

/// The next line without its end; `None` at the end of the log. A log that breaks within a line loses no line: the part is not
/// returned.
pub(in crate::cli) async fn next<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut line = vec![];
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok((!line.is_empty()).then_some(line));
        }
        let room = LONGEST - line.len();
        let end = buffer.iter().take(room).position(|byte| *byte == b'\n');
        let count = end.unwrap_or(buffer.len().min(room));
        line.extend_from_slice(&buffer[..count]);
        reader.consume_unpin(count + usize::from(end.is_some()));
        if end.is_some() || line.len() == LONGEST {
            return Ok(Some(line));
        }
    }
}

/// The time in front of a line, and the rest. The kubelet cuts long lines: only the first piece has a time.
pub(super) fn split(line: &[u8]) -> (Option<(Timestamp, &str)>, &[u8]) {
    let end = line.iter().take(40).position(|byte| *byte == b' ');
    let text = end.and_then(|end| std::str::from_utf8(&line[..end]).ok());
    match text.and_then(|text| Some((text.parse().ok()?, text))) {
        Some((time, text)) => (Some((time, text)), &line[text.len() + 1..]),
        None => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = futures::io::BufReader::with_capacity(7, bytes);
        let mut lines = vec![];
        while let Some(line) = next(&mut reader).await.unwrap() {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn a_byte_that_is_no_text_ends_no_log_and_an_endless_line_comes_in_pieces() {
        assert_eq!(all(b"one\n\xff\xfe two\n\nlast").await, [&b"one"[..], b"\xff\xfe two", b"", b"last"]);
        let long = vec![b'x'; 2 * LONGEST + 5];
        let lengths: Vec<usize> = all(&long).await.iter().map(Vec::len).collect();
        assert_eq!(lengths, [LONGEST, LONGEST, 5]);
        assert!(all(b"").await.is_empty());
    }

    #[test]
    fn only_a_time_counts_as_one() {
        let (time, rest) = split(b"2026-11-30T12:00:00.123456789Z GET /");
        assert_eq!((time.unwrap().1, rest), ("2026-11-30T12:00:00.123456789Z", &b"GET /"[..]));
        for line in [&b"GET / 200"[..], b"", b"2026 begins", b"\xff x"] {
            assert_eq!(split(line), (None, line));
        }
    }
}
