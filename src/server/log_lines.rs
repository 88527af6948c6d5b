//! Lines of logs: their time and their pace. Pure.

use std::time::{Duration, Instant};

/// Longest line in bytes. A longer one is cut into lines.
pub(super) const LONGEST: usize = 16 << 10;

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
