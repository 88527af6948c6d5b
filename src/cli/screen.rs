//! What people see: text on standard output, everything else on standard error. Colour only on a terminal and without
//! `NO_COLOR`.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};

use super::failure::Exit;
use crate::text::printable::coloured;

/// The terminal or the pipe behind the program.
pub(super) struct Screen {
    /// A person sees standard error while the program runs.
    pub(super) moves: bool,
    /// A person can answer.
    pub(super) asks: bool,
    /// Standard output is a terminal.
    pub(super) is_terminal: bool,
    out: ColorChoice,
    err: ColorChoice,
}

/// How much a word matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// It is well.
    Good,
    /// Work goes on.
    Busy,
    /// It is not well.
    Bad,
    /// It says less than its neighbours.
    Quiet,
    /// It is a headline or a command.
    Strong,
}

impl Screen {
    pub(super) fn new() -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        Self {
            moves: err.is_terminal(),
            asks: err.is_terminal() && std::io::stdin().is_terminal(),
            is_terminal: out.is_terminal(),
            out: AutoStream::choice(&out),
            err: AutoStream::choice(&err),
        }
    }

    /// Prints a line on standard output. If its reader has gone away, such as `head`, the program ends well.
    pub(super) fn print(&self, line: &str) {
        self.print_raw(&format!("{line}\n"));
    }

    /// Prints text that ends as it says.
    pub(super) fn print_raw(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stdout(), self.out);
        let text = if self.is_terminal { Cow::Owned(coloured(text)) } else { Cow::Borrowed(text) };
        let written = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        self.must_be_written(written);
    }

    /// Prints a line as its bytes are. A terminal gets it without what could control it.
    pub(super) fn print_bytes(&self, line: &[u8]) {
        if self.is_terminal {
            return self.print(&coloured(&String::from_utf8_lossy(line)));
        }
        let mut stream = std::io::stdout().lock();
        let written =
            stream.write_all(line).and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush());
        self.must_be_written(written);
    }

    /// Ends the program if nothing more can be written: whatever it does, its user does not see it.
    fn must_be_written(&self, written: std::io::Result<()>) {
        let Err(error) = written else { return };
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(Exit::Well.code().into());
        }
        self.error(&format!("cannot write to standard output: {error}"));
        std::process::exit(Exit::Error.code().into());
    }

    /// Prints a remark on standard error.
    pub(super) fn note(&self, line: &str) {
        let line = if self.moves { Cow::Owned(coloured(line)) } else { Cow::Borrowed(line) };
        let _ = writeln!(AutoStream::new(std::io::stderr(), self.err), "{line}");
    }

    /// Prints a warning on standard error.
    pub(super) fn warn(&self, line: &str) {
        self.note(&format!("{} {line}", toned(Tone::Busy, "warning:")));
    }

    /// Prints why the program ends.
    pub(super) fn error(&self, line: &str) {
        self.note(&format!("{} {line}", toned(Tone::Bad, "error:")));
    }
}

/// The text with the colour of its tone. The streams take the colour out where it cannot be seen.
pub(super) fn toned(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Busy => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Quiet => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}
