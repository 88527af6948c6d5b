//! The log of a build: one line per stage with the seconds since the start, what programs print in between, and the
//! last lines kept for the report. Nothing unprintable and no secret passes it, and no line is longer than [`MAX_LINE`].

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest line in bytes; the rest of a longer one is dropped.
const MAX_LINE: usize = 4096;
/// Lines kept.
const KEPT: usize = 400;
/// Lines of the tail that a report carries, and their bytes in all.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: usize = 2048;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// The log of one build.
pub(super) struct Log {
    started: Instant,
    kept: Mutex<VecDeque<String>>,
    /// Texts that are never shown, the longest first.
    secrets: Vec<String>,
}

impl Log {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, kept: Mutex::default(), secrets: vec![] }
    }

    /// A log that hides these texts.
    pub(super) fn hiding(started: Instant, secrets: &[String]) -> Self {
        // A line is made printable before it is searched, so a secret is looked for in that form too.
        let shown =
            secrets.iter().map(|secret| printable(secret)).filter(|shown| shown.len() >= HIDDEN.len());
        let mut all: Vec<String> = shown.chain(secrets.iter().cloned()).collect();
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all.dedup();
        Self { secrets: all, ..Self::new(started) }
    }

    /// The text with every secret in it replaced.
    pub(super) fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }

    /// Announces a stage: `==> fetch    https://… @ 1a2b3c4 (0.8 s)`, the seconds counted from the start of the build.
    pub(super) fn stage(&self, name: &str, text: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&format!("==> {name:<8} {text} ({seconds:.1} s)"));
    }

    /// One line for people and for the tail.
    pub(super) fn line(&self, raw: &str) {
        let line = self.hide(&printable(raw));
        // A closed standard output is no reason to stop a build.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// Reads lines until the end, logs each, and shows each to `seen`.
    pub(super) async fn follow(&self, mut reader: impl AsyncRead + Unpin, mut seen: impl FnMut(&str)) {
        let mut buffer = vec![0; 16 * 1024];
        let mut line = Vec::new();
        // A secret across the end of a line is seen whole before the line is cut.
        let room = MAX_LINE + self.secrets.first().map_or(0, String::len);
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            for &byte in &buffer[..count] {
                if byte == b'\n' {
                    self.show(&mut line, &mut seen);
                } else if line.len() < room {
                    line.push(byte);
                }
            }
        }
        if !line.is_empty() {
            self.show(&mut line, &mut seen);
        }
    }

    fn show(&self, line: &mut Vec<u8>, seen: &mut impl FnMut(&str)) {
        let mut text = self.hide(&printable(&String::from_utf8_lossy(line)));
        let excess = text.len().saturating_sub(MAX_LINE);
        super::outcome::cut_end(&mut text, excess);
        line.clear();
        self.line(&text);
        seen(&text);
    }

    /// Every line still kept, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.kept().iter().cloned().collect()
    }

    /// The last lines, as a report carries them.
    pub(super) fn tail(&self) -> String {
        let spoken: Vec<String> = self.lines().into_iter().filter(|line| says_something(line)).collect();
        tail(&spoken)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empty lines and the progress of downloads take the room of what a person looks for.
fn says_something(line: &str) -> bool {
    let step =
        line.strip_prefix('#').and_then(|line| line.split_once(' ')).map_or(line, |(_, rest)| rest).trim();
    !["sha256:", "extracting sha256:", "resolve "].iter().any(|start| step.starts_with(start))
        && !["", "..."].contains(&step)
}

fn tail(lines: &[String]) -> String {
    let mut bytes = 0;
    let mut first = lines.len();
    for line in lines.iter().rev().take(TAIL_LINES) {
        bytes += line.len() + 1;
        if bytes > TAIL_BYTES {
            break;
        }
        first -= 1;
    }
    // A single last line longer than the whole tail: its end says more than nothing.
    match lines.last() {
        Some(last) if first == lines.len() => {
            let from =
                (last.len().saturating_sub(TAIL_BYTES)..=last.len()).find(|&at| last.is_char_boundary(at));
            last[from.unwrap_or(0)..].to_owned()
        }
        _ => lines[first..].join("\n"),
    }
}

/// Text without escape sequences, control characters and characters that reorder a line on the screen.
pub(super) fn printable(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        match char {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => out.push_str("    "),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}

/// Skips the rest of an ANSI escape sequence: `[…letter`, `]…BEL` or `]…ESC \`, or a single character.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            rest.find(|char| ('\u{40}'..='\u{7e}').contains(char));
        }
        Some(']') => {
            let mut before = ' ';
            rest.find(|&char| {
                let ends = char == '\u{7}' || (before == '\u{1b}' && char == '\\');
                before = char;
                ends
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bad input 106: escape sequences and reordering characters in the log
    #[test]
    fn escapes_controls_and_reordering_are_removed() {
        assert_eq!(printable("\u{1b}[31;1mred\u{1b}[0m\ttab\rback\u{7}"), "red    tabback");
        assert_eq!(printable("\u{1b}]0;title\u{7}a\u{1b}]8;;x\u{1b}\\b\u{202e}c\u{0}"), "abc");
        assert_eq!(printable("\u{1b}[31"), "");
        assert_eq!(printable("ünïcode ✓"), "ünïcode ✓");
    }

    // Bad input 106: secret in the log, also across the end of a cut line
    #[tokio::test]
    async fn secrets_are_hidden_wherever_they_stand() {
        let secrets = ["hunter2", "hunter2-longer", "odd\"\\ p\u{1b}[1mä$'ss", "a\tb-c"];
        let log = Log::hiding(Instant::now(), &secrets.map(str::to_owned));
        let mut text = "x".repeat(MAX_LINE - 3) + "hunter2\n";
        text += "say hunter2-longer, hunter2 and odd\"\\ p\u{1b}[1mä$'ss, a\tb-c\n";
        log.follow(text.as_bytes(), |_| {}).await;
        let lines = log.lines();
        assert_eq!(lines[0], "x".repeat(MAX_LINE - 3) + "***");
        assert_eq!(lines[1], "say ***, *** and ***, ***");
        assert_eq!(log.hide("hunter2"), "***");
    }

    // Bad input 106: line of 300,000 characters
    #[tokio::test]
    async fn endless_lines_are_cut_and_the_next_one_survives() {
        let log = Log::new(Instant::now());
        let mut text = vec![b'x'; 300_000];
        text.extend_from_slice(b"\nnext\nlast without newline");
        let mut seen = Vec::new();
        log.follow(&text[..], |line| seen.push(line.len())).await;
        for noise in ["", "#5 ...", "#5 extracting sha256:ab", "#5 sha256:ab 1MB / 2MB"] {
            assert!(!says_something(noise), "{noise}");
        }
        assert_eq!(seen, [MAX_LINE, 4, 20]);
        assert_eq!(log.tail(), "next\nlast without newline");
    }

    #[test]
    fn the_tail_is_bounded_in_lines_and_bytes() {
        let many: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        assert_eq!(tail(&many).lines().count(), TAIL_LINES);
        assert!(tail(&many).ends_with("line 99"));
        let long: Vec<String> = (0..10).map(|_| "é".repeat(500)).collect();
        assert!(tail(&long).len() <= TAIL_BYTES);
        let one = vec!["é".repeat(3000)];
        assert!(tail(&one).len() <= TAIL_BYTES && !tail(&one).is_empty());
        assert_eq!(tail(&[]), "");
    }
}
