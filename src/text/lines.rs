//! Lines of a log as bytes: it may have any byte, and a line without an end must not fill the memory.

use std::io;

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Longest time in front of a line, in bytes.
const LONGEST_TIME: usize = 40;

/// What was read of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A line, or the last part of one.
    Line,
    /// Part of a line that is longer than allowed.
    Begin,
    /// The log ended in the middle of a line.
    Unfinished,
    /// The log ended.
    End,
}

/// Reads the next line without its end, at most `longest` bytes of it.
pub async fn next<R: AsyncBufRead + Unpin>(
    log: &mut R,
    line: &mut Vec<u8>,
    longest: usize,
) -> io::Result<Read> {
    line.clear();
    loop {
        let read = log.fill_buf().await?;
        if read.is_empty() {
            return Ok(if line.is_empty() { Read::End } else { Read::Unfinished });
        }
        let room = longest - line.len();
        let end = read.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(read.len()).min(room);
        line.extend_from_slice(&read[..taken]);
        let whole = end.is_some_and(|end| end == taken);
        log.consume_unpin(taken + usize::from(whole));
        if whole {
            return Ok(Read::Line);
        }
        if line.len() == longest {
            return Ok(Read::Begin);
        }
    }
}

/// The time that the kubelet wrote in front of a line, or nothing, and the rest.
fn split_time(line: &[u8]) -> (&str, &[u8]) {
    let end = line.iter().take(LONGEST_TIME + 1).position(|byte| *byte == b' ');
    let time = end.and_then(|end| std::str::from_utf8(&line[..end]).ok());
    match time.filter(|time| time.parse::<jiff::Timestamp>().is_ok()) {
        Some(time) => (time, &line[time.len() + 1..]),
        None => ("", line),
    }
}

/// The times of lines as they are read.
#[derive(Debug, Default)]
pub struct Times {
    last: String,
    is_rest: bool,
}

impl Times {
    /// The text of what was read, without its time; None if it is the empty rest of a line. Only the begin of a line has a time of
    /// the kubelet: in the rest of a long line, a time would be one of the app.
    pub fn text<'a>(&mut self, read: Read, line: &'a [u8]) -> Option<&'a [u8]> {
        let is_rest = std::mem::replace(&mut self.is_rest, read == Read::Begin);
        if is_rest {
            return Some(line).filter(|line| !line.is_empty());
        }
        let (own, text) = split_time(line);
        if !own.is_empty() {
            own.clone_into(&mut self.last);
        }
        Some(text)
    }

    /// The time of that text. A line without a time has the time of the line before.
    #[must_use]
    pub fn last(&self) -> &str {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8]) -> Vec<(Read, Vec<u8>)> {
        let mut reader = futures::io::BufReader::with_capacity(7, bytes);
        let (mut lines, mut line) = (vec![], vec![]);
        loop {
            let read = next(&mut reader, &mut line, 16).await.unwrap();
            if read == Read::End {
                return lines;
            }
            lines.push((read, line.clone()));
        }
    }

    #[tokio::test]
    async fn a_byte_that_is_no_text_ends_no_log_and_an_endless_line_comes_in_parts() {
        assert_eq!(
            all(b"one\n\xff\xfe two\n\nlast").await,
            [
                (Read::Line, b"one".to_vec()),
                (Read::Line, b"\xff\xfe two".to_vec()),
                (Read::Line, vec![]),
                (Read::Unfinished, b"last".to_vec())
            ]
        );
        let long = [vec![b'x'; 37], b"\n".to_vec()].concat();
        let parts: Vec<(Read, usize)> =
            all(&long).await.into_iter().map(|(read, line)| (read, line.len())).collect();
        assert_eq!(parts, [(Read::Begin, 16), (Read::Begin, 16), (Read::Line, 5)]);
        assert!(all(b"").await.is_empty());
    }

    #[test]
    fn only_a_time_in_front_of_a_line_is_one() {
        let of = |line: &'static str| split_time(line.as_bytes());
        assert_eq!(of("2026-11-30T12:00:00.123456789Z a b"), ("2026-11-30T12:00:00.123456789Z", &b"a b"[..]));
        assert_eq!(of("2026-11-30T12:00:00.123456789Z "), ("2026-11-30T12:00:00.123456789Z", &b""[..]));
        for forged in [
            "no time",
            "",
            "2026-aaaaaaaaaaaaaaa\0 x",
            "2026-11-30T12:00:00\rZZZZ x",
            "2026-11-30T99:00:00Z x",
        ] {
            assert_eq!(of(forged), ("", forged.as_bytes()));
        }
        assert_eq!(split_time(b"\xff x"), ("", &b"\xff x"[..]));
    }
}
