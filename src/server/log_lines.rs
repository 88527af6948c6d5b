//! Lines of logs: their time and their pace. Pure.

use std::time::{Duration, Instant};

/// Longest line in bytes. A longer one is cut into lines.
pub(super) const LONGEST: usize = 16 << 10;

/// Longest time in bytes, with nanoseconds and an offset.
const LONGEST_TIME: usize = 40;

/// Bytes of a log stream in a second.
const PACE: u64 = 1 << 20;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its time, as the kubelet wrote it.
    pub time: String,
    /// The pod.
    pub pod: String,
    /// build, init or app.
    pub stage: &'static str,
    /// The line without its time.
    pub text: String,
}

/// Splits the time from a line that begins with one.
#[must_use]
pub(super) fn split_time(line: &str) -> (&str, &str) {
    match line.split_once(' ') {
        Some((time, text)) if time.len() <= LONGEST_TIME && time.parse::<jiff::Timestamp>().is_ok() => {
            (time, text)
        }
        _ => ("", line),
    }
}

/// Holds a stream to [`PACE`].
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// From `now` on.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// The pause before these bytes may follow. One second of bytes may come at once.
    pub(super) fn pause(&mut self, bytes: usize, now: Instant) -> Duration {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        let due = Duration::from_micros(self.bytes.saturating_mul(1_000_000) / PACE);
        let passed = now.duration_since(self.since);
        if passed > due {
            *self = Self::new(now); // Time in which nothing came is not saved up.
            return Duration::ZERO;
        }
        due.saturating_sub(passed).saturating_sub(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_is_split_off() {
        assert_eq!(
            split_time("2026-11-30T12:00:00.123456789Z a b"),
            ("2026-11-30T12:00:00.123456789Z", "a b")
        );
        assert_eq!(split_time("no time"), ("", "no time"));
        assert_eq!(split_time("2026-11-30T12:00:00.123456789Z "), ("2026-11-30T12:00:00.123456789Z", ""));
        for forged in ["2026-aaaaaaaaaaaaaaa\0 x", "2026-11-30T12:00:00\rZZZZ x", "2026-11-30T99:00:00Z x"] {
            assert_eq!(split_time(forged), ("", forged));
        }
    }

    #[test]
    fn a_stream_has_at_most_one_mebibyte_a_second_after_the_first() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        assert_eq!(pace.pause(1 << 20, begun), Duration::ZERO);
        assert_eq!(pace.pause(1 << 20, begun), Duration::from_secs(1));
        assert_eq!(pace.pause(1 << 20, begun + Duration::from_secs(1)), Duration::from_secs(1));
        let rested = begun + Duration::from_mins(1);
        assert_eq!(pace.pause(1 << 10, rested), Duration::ZERO);
        assert_eq!(pace.pause(2 << 20, rested), Duration::from_secs(1), "rest is not saved up");
    }
}
