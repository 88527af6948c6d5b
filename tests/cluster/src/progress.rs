//! Prints progress for the person at the terminal.
//! It writes only to standard error, because standard output is for results.

use std::{fmt, time::Instant};

/// Prints one line of progress.
pub fn say(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// The time since `began`, in seconds, for people.
#[must_use]
pub fn seconds(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}
