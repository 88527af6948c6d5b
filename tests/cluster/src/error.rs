//! Everything that can go wrong, as sentences for the person at the terminal.
//! It decides nothing; an error carries what was attempted, on what, and the way out.

use std::{fmt, io, path::PathBuf, process::Command, time::Duration};

/// Why the cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {attempt}: {source}")]
    Io {
        /// What was tried, on which object: "write /x/y".
        attempt: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A program that should have done one thing and ended well did not.
    #[error("cannot {attempt}: {program} ended with {status}\n{output}")]
    Command {
        /// What was tried.
        attempt: String,
        /// The program that was run.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A long-running component ended although it should not have.
    #[error("{name} has ended; its last lines, from {}:\n{tail}", log.display())]
    Died {
        /// The component.
        name: String,
        /// Where all of its output is.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A condition did not come true in time.
    #[error("gave up after {} s waiting for {what}: {last}{tail}", within.as_secs())]
    Deadline {
        /// What was awaited.
        what: String,
        /// For how long.
        within: Duration,
        /// What the last look showed.
        last: String,
        /// The last log lines of the component in question, when there is one.
        tail: String,
    },
    /// A signal asked the launcher to stop.
    #[error("interrupted while waiting for {what}")]
    Interrupted {
        /// What was awaited.
        what: String,
    },
    /// Anything else, said in full.
    #[error("cannot {attempt}: {why}")]
    Failed {
        /// What was tried.
        attempt: String,
        /// Why it did not work and what to do.
        why: String,
    },
}

impl Error {
    /// An error that is neither the system's nor a program's.
    pub fn failed(attempt: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Failed { attempt: attempt.into(), why: why.to_string() }
    }
}

/// Says what was attempted when a result is an error.
pub trait Attempt<T> {
    /// `attempt` completes the sentence "cannot …".
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { attempt: attempt(), source })
    }
}

impl<T> Attempt<T> for rustix::io::Result<T> {
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|errno| Error::Io { attempt: attempt(), source: errno.into() })
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
pub fn run(command: &mut Command, attempt: &str) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().attempt(|| format!("{attempt} (start {program})"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Command {
        attempt: attempt.to_owned(),
        program,
        status: output.status.to_string(),
        output: last_lines(&text, 20),
    })
}

/// The last `count` lines of `text`.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_reported_with_its_last_lines() {
        let error = run(Command::new("ls").arg("/does/not/exist"), "list it").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot list it: ls ended with exit status: 2\n"), "{text}");
        assert!(text.contains("/does/not/exist"), "{text}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
