//! The times of a Lease. All follow from its duration, so they cannot contradict each other.

use std::time::Duration;

/// Shortest Lease in seconds: with a shorter one, a busy API server would end the leadership.
pub const SHORTEST: u16 = 5;
/// Longest Lease in seconds.
pub const LONGEST: u16 = 300;

/// How long a Lease lasts, and the times that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    seconds: u16,
}

impl Times {
    /// Times of a Lease of that many seconds.
    #[must_use]
    pub fn of(seconds: u16) -> Self {
        Self { seconds: seconds.clamp(SHORTEST, LONGEST) }
    }

    /// How long others must see no renewal before they acquire the Lease.
    #[must_use]
    pub fn lease(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The same in seconds, as in the Lease.
    #[must_use]
    pub fn seconds(self) -> i32 {
        self.seconds.into()
    }

    /// How long after it sent its last renewal the holder may write. The rest of the Lease is for writes in flight and
    /// for clocks that run at different speeds.
    #[must_use]
    pub fn writes(self) -> Duration {
        self.lease() * 4 / 5
    }

    /// Time between two renewals.
    #[must_use]
    pub fn renew(self) -> Duration {
        self.lease() / 3
    }

    /// Timeout of a request for the Lease.
    #[must_use]
    pub fn answer(self) -> Duration {
        self.lease() / 5
    }

    /// Pause between two reads of a standby, and before the retry of a failed renewal.
    #[must_use]
    pub fn pause(self) -> Duration {
        (self.lease() / 15).min(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_may_miss_one_renewal_and_stops_writing_before_a_takeover() {
        for seconds in [0, SHORTEST, 15, LONGEST, u16::MAX] {
            let times = Times::of(seconds);
            assert!(times.renew() + times.answer() * 2 <= times.writes() + times.pause(), "{times:?}");
            assert!(times.writes() + times.answer() <= times.lease(), "{times:?}");
            assert!(times.pause() <= Duration::from_secs(1), "{times:?}");
        }
    }
}
