//! Exponential backoff per project. A success resets it. Memory is bounded by the number of projects that fail at
//! present.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Number of consecutive failures of each project, by uid.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

/// First pause.
const FIRST: Duration = Duration::from_millis(500);
/// First pause after a conflict. It is short because the missing watch event is about to arrive.
const FIRST_CONFLICT: Duration = Duration::from_millis(25);
/// Longest pause.
const LONGEST: Duration = Duration::from_mins(5);

impl Backoff {
    /// Counts a failure of `uid` and returns the pause before the next try.
    pub fn failed(&self, uid: &str) -> Duration {
        FIRST.saturating_mul(1 << self.doublings(uid)).min(LONGEST)
    }

    /// Counts a conflict of `uid` and returns the pause, which is shorter than after a failure but also grows.
    pub fn conflicted(&self, uid: &str) -> Duration {
        FIRST_CONFLICT.saturating_mul(1 << self.doublings(uid)).min(LONGEST)
    }

    fn doublings(&self, uid: &str) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        (*count - 1).min(16)
    }

    /// Forgets the failures of `uid`.
    pub fn succeeded(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_start_over_after_a_success() {
        let backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.failed("a")).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!((pauses[0], pauses[11]), (FIRST, LONGEST));
        assert_eq!(backoff.failed("b"), FIRST);
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a"), FIRST);
    }

    #[test]
    fn a_conflict_is_retried_sooner_and_repeated_conflicts_back_off() {
        let backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.conflicted("a")).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!((pauses[0], pauses[19]), (FIRST_CONFLICT, LONGEST));
    }
}
