//! The times of a Lease. All follow from its length, so that no two of them can contradict each other.

use std::time::Duration;

/// Shortest Lease in seconds: below, a busy API server would cost the lead.
pub const SHORTEST: u16 = 5;
/// Longest Lease in seconds.
pub const LONGEST: u16 = 300;

/// How long a Lease lasts and what is done when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    seconds: u16,
}

impl Times {
    /// Times of a Lease of so many seconds.
    #[must_use]
    pub fn of(seconds: u16) -> Self {
        Self { seconds: seconds.clamp(SHORTEST, LONGEST) }
    }

    /// So long must others see no renewal before they take the Lease.
    #[must_use]
    pub fn lease(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The same as the Lease says it.
    #[must_use]
    pub fn seconds(self) -> i32 {
        self.seconds.into()
    }

    /// So long after it sent its last renewal may the holder write. The rest of the Lease is for writes that are still
    /// on their way and for clocks that do not run at the same speed.
    #[must_use]
    pub fn writes(self) -> Duration {
        self.lease() * 4 / 5
    }

    /// The holder renews so often.
    #[must_use]
    pub fn renew(self) -> Duration {
        self.lease() / 3
    }

    /// A request about the Lease is given up after this time.
    #[must_use]
    pub fn answer(self) -> Duration {
        self.lease() / 5
    }

    /// Between two looks of a standby, and before a renewal that failed is tried again.
    #[must_use]
    pub fn pause(self) -> Duration {
        (self.lease() / 15).min(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_can_miss_one_renewal_and_stops_writing_before_another_one_may_take_over() {
        for seconds in [0, SHORTEST, 15, LONGEST, u16::MAX] {
            let times = Times::of(seconds);
            assert!(times.renew() + times.answer() * 2 <= times.writes() + times.pause(), "{times:?}");
            assert!(times.writes() + times.answer() <= times.lease(), "{times:?}");
            assert!(times.pause() <= Duration::from_secs(1), "{times:?}");
        }
    }
}
