//! The errors of the launcher, as sentences for the person at the terminal.
//! An error says what was attempted, on which object, and what to do.

use std::{fmt, io, path::PathBuf, process::Command, time::Duration};

/// Why an operation on the cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {attempt}: {source}")]
    Io {
        /// What was attempted, on which object: "write /x/y".
        attempt: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// A program that should exit successfully did not.
    #[error("cannot {attempt}: {program} ended with {status}\n{output}")]
    Command {
        /// What was attempted.
        attempt: String,
        /// The program that ran.
        program: String,
        /// Its exit status.
        status: String,
        /// The last lines that it printed.
        output: String,
    },
    /// A long-running component exited unexpectedly.
    #[error("{name} exited unexpectedly; the last lines of {}:\n{tail}", log.display())]
    Died {
        /// The component.
        name: String,
        /// The file with all of its output.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// A condition did not become true before its deadline.
    #[error("timed out after {} s waiting for {what}: {last}{tail}", within.as_secs())]
    Deadline {
        /// The condition.
        what: String,
        /// How long the launcher waited.
        within: Duration,
        /// What the last check returned.
        last: String,
        /// The last log lines of the component, if the condition belongs to one.
        tail: String,
    },
    /// The launcher received a signal to stop.
    #[error("interrupted while waiting for {what}")]
    Interrupted {
        /// The condition that the launcher was waiting for.
        what: String,
    },
    /// Any other error.
    #[error("cannot {attempt}: {why}")]
    Failed {
        /// What was attempted.
        attempt: String,
        /// Why it failed and what to do.
        why: String,
    },
}

impl Error {
    /// An error of neither a system call nor a program.
    pub fn failed(attempt: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Failed { attempt: attempt.into(), why: why.to_string() }
    }
}

/// Adds to an error what was attempted.
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

/// Runs a program, waits until it exits, and returns its standard output.
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
