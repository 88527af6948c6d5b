//! The log of a build: the beginning, end and duration of each stage, the output of programs, and a summary line. It
//! removes unprintable characters and secrets, and no line is longer than [`MAX_LINE`].

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) use lines::each_line;
pub(super) use redact::shortened;

pub(super) use crate::text::printable::printable;

mod lines;
mod redact;
mod tail;

/// Longest line in bytes; the rest of a longer one is dropped.
const MAX_LINE: usize = 4096;
/// Bytes of the log that are kept; of a longer log, the end.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// The log of one build.
pub(super) struct Log {
    started: Instant,
    written: Mutex<Written>,
    /// Texts that are never shown, the longest first.
    secrets: Vec<String>,
}

#[derive(Default)]
struct Written {
    lines: VecDeque<String>,
    /// Bytes of all lines, with line ends.
    bytes: usize,
    /// The beginning was dropped.
    cut: bool,
    stage: Option<Stage>,
    /// The stages that have ended, in their order.
    ended: Vec<(&'static str, Duration)>,
    /// The last lines of the step that failed.
    last_output: Vec<String>,
}

/// The running stage.
struct Stage {
    name: &'static str,
    started: Instant,
    /// Its result in a few words.
    note: Option<String>,
}

impl Log {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, written: Mutex::default(), secrets: vec![] }
    }

    /// A log that hides these texts.
    pub(super) fn hiding(started: Instant, secrets: &[String]) -> Self {
        // Lines are made printable before the search for secrets, so secrets are searched for in that form, too.
        let shown = secrets
            .iter()
            .map(|secret| printable(secret))
            .filter(|shown| shown.len() >= redact::HIDDEN.len());
        let mut all: Vec<String> = shown.chain(secrets.iter().cloned()).collect();
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all.dedup();
        Self { secrets: all, ..Self::new(started) }
    }

    /// Replaces every secret in the text, and the rest of a secret where the text was cut.
    pub(super) fn hide(&self, text: &str) -> String {
        redact::hide(text, &self.secrets)
    }

    /// Announces a stage, `==> fetch    https://… @ 1a2b3c4`, and ends the one before.
    pub(super) fn stage(&self, name: &'static str, text: &str) {
        self.end_stage();
        self.written().stage = Some(Stage { name, started: Instant::now(), note: None });
        self.line(&format!("==> {name:<8} {text}"));
    }

    /// Sets the result of the running stage, for the line that ends it.
    pub(super) fn note(&self, note: String) {
        if let Some(stage) = &mut self.written().stage {
            stage.note = Some(note);
        }
    }

    /// `<== build    12.3 s, 5 steps, 3 cached`
    fn end_stage(&self) {
        let Some(Stage { name, started, note }) = self.written().stage.take() else { return };
        let taken = started.elapsed();
        self.written().ended.push((name, taken));
        let note = note.map(|note| format!(", {note}")).unwrap_or_default();
        self.line(&format!("<== {name:<8} {:.1} s{note}", taken.as_secs_f64()));
    }

    /// Ends the running stage with a summary: `==> done     sha256:… in 15.2 s (fetch 0.8, build 12.3, push 1.9)`.
    pub(super) fn end(&self, how: &str, text: &str) {
        self.end_stage();
        let mut stages = String::new();
        for (name, taken) in &self.written().ended {
            let comma = if stages.is_empty() { "" } else { ", " };
            let _ = write!(stages, "{comma}{name} {:.1}", taken.as_secs_f64());
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&format!("==> {how:<8} {text} in {seconds:.1} s ({stages})"));
    }

    /// Writes one line, cut if it is too long.
    pub(super) fn line(&self, raw: &str) {
        // Secrets are hidden before the line is cut, because one may cross the cut.
        let mut line = self.hide(&printable(raw));
        let excess = line.len().saturating_sub(MAX_LINE);
        crate::text::cut_end(&mut line, excess);
        // A closed standard output must not stop a build.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        self.keep(line);
    }

    fn keep(&self, line: String) {
        let mut written = self.written();
        written.bytes += line.len() + 1;
        written.lines.push_back(line);
        while written.bytes > MAX_TEXT {
            let Some(gone) = written.lines.pop_front() else { break };
            written.bytes -= gone.len() + 1;
            written.cut = true;
        }
    }

    /// All kept lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.written().lines.iter().cloned().collect()
    }

    /// The whole log, at most [`MAX_TEXT`] bytes. If the beginning was dropped, the first line says so.
    pub(super) fn text(&self) -> String {
        const CUT: &str = "(the beginning of this log is left out)\n";

        let written = self.written();
        let mut room = if written.cut { MAX_TEXT - CUT.len() } else { MAX_TEXT };
        let fits = |line: &&String| match room.checked_sub(line.len() + 1) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let count = written.lines.iter().rev().take_while(fits).count();
        let mut text = String::from(if written.cut { CUT } else { "" });
        for line in written.lines.iter().skip(written.lines.len() - count) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Sets the last lines of the step that failed. In the log they are mixed with those of other steps and `BuildKit`.
    pub(super) fn last_output(&self, lines: &[String]) {
        self.written().last_output = lines.iter().map(|line| self.hide(&printable(line))).collect();
    }

    /// The last lines for the report: those of the step that failed, if one did.
    pub(super) fn tail(&self) -> String {
        let words = self.written().last_output.clone();
        let lines = if words.is_empty() { self.lines() } else { words }.into_iter();
        tail::tail(&lines.filter(|line| tail::says_something(line)).collect::<Vec<_>>())
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bad input 106: secret in the log, also across the end of a cut line
    #[test]
    fn secrets_are_hidden_anywhere_in_the_log() {
        let secrets = ["hunter2", "hunter2-longer", "odd\"\\ p\u{1b}[1mä$'ss", "a\tb-c"];
        let log = Log::hiding(Instant::now(), &secrets.map(str::to_owned));
        log.line(&("x".repeat(MAX_LINE - 3) + "hunter2"));
        log.line("say hunter2-longer, hunter2 and odd\"\\ p\u{1b}[1mä$'ss, a\tb-c");
        let lines = log.lines();
        assert_eq!(lines[0], "x".repeat(MAX_LINE - 3) + "***");
        assert_eq!(lines[1], "say ***, *** and ***, ***");
        assert_eq!(log.hide("hunter2"), "***");
        assert!(!log.text().contains("hunter2"));
    }

    #[test]
    fn each_stage_logs_its_start_and_end_and_the_last_line_sums_them_up() {
        let log = Log::new(Instant::now());
        log.stage("fetch", "https://git.test/x @ 1a2b3c4");
        log.stage("build", "Node");
        log.note("5 steps, 3 cached".to_owned());
        log.end("done", "sha256:ab");
        let lines = log.lines();
        assert_eq!(lines[0], "==> fetch    https://git.test/x @ 1a2b3c4");
        assert!(lines[1].starts_with("<== fetch    ") && lines[1].ends_with(" s"), "{}", lines[1]);
        assert_eq!(lines[2], "==> build    Node");
        assert!(lines[3].starts_with("<== build    ") && lines[3].ends_with(" s, 5 steps, 3 cached"));
        let last = &lines[4];
        assert!(last.starts_with("==> done     sha256:ab in ") && last.contains(" s (fetch "), "{last}");
        assert!(last.contains(", build ") && lines.len() == 5, "{last}");
    }

    #[test]
    fn a_report_carries_only_the_output_of_the_failed_step() {
        let log = Log::hiding(Instant::now(), &["hunter2".to_owned()]);
        log.line("#9 1.0 npm error code ENOTFOUND");
        log.line("Dockerfile:8");
        assert!(log.tail().ends_with("Dockerfile:8"), "{}", log.tail());
        let words =
            ["npm error code ENOTFOUND", "npm notice New major version of npm", "npm error of hunter2"];
        log.last_output(&words.map(str::to_owned));
        assert_eq!(log.tail(), "npm error code ENOTFOUND\nnpm error of ***");
        assert!(log.text().contains("Dockerfile:8"), "the whole log is unchanged");
    }

    #[test]
    fn a_log_that_is_too_long_keeps_its_end() {
        let log = Log::new(Instant::now());
        log.line("the first");
        assert_eq!(log.text(), "the first\n");
        for number in 0..300 {
            log.keep(format!("{number} {}", "é".repeat(2000)));
        }
        let text = log.text();
        assert!(text.len() <= MAX_TEXT && text.len() > MAX_TEXT - 2 * MAX_LINE, "{}", text.len());
        assert!(text.starts_with("(the beginning of this log is left out)\n"));
        assert!(text.lines().last().unwrap().starts_with("299 "));
        assert!(!log.tail().is_empty());
    }
}
