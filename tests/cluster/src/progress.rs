//! What the person at the terminal is told while something takes long.
//! It writes to standard error only: standard output belongs to results.

use std::{fmt, time::Instant};

/// One line of progress.
pub fn say(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// How long something took, for people.
#[must_use]
pub fn seconds(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}
