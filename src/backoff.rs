//! Exponential backoff per project. A success resets it. Memory is bounded by the number of projects that fail at
//! present.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::project::Key;

/// Number of consecutive failures of each project, by namespace and name.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<Key, u32>>,
}

/// First pause.
const FIRST: Duration = Duration::from_millis(500);
/// First pause after a conflict. It is short because the missing watch event is about to arrive.
const FIRST_CONFLICT: Duration = Duration::from_millis(25);
/// Longest pause.
const LONGEST: Duration = Duration::from_mins(5);

impl Backoff {
    /// Counts a failure of `project` and returns the pause before the next try.
    pub fn failed(&self, project: &Key) -> Duration {
        FIRST.saturating_mul(1 << self.doublings(project)).min(LONGEST)
    }

    /// Counts a conflict of `project` and returns the pause, which is shorter than after a failure but also grows.
    pub fn conflicted(&self, project: &Key) -> Duration {
        FIRST_CONFLICT.saturating_mul(1 << self.doublings(project)).min(LONGEST)
    }

    fn doublings(&self, project: &Key) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(project.clone()).or_insert(0);
        *count = count.saturating_add(1);
        (*count - 1).min(16)
    }

    /// Forgets the failures of `project`.
    pub fn succeeded(&self, project: &Key) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(project);
    }

    /// Forgets all other projects.
    pub fn keep_only(&self, stays: impl Fn(&Key) -> bool) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).retain(|project, _| stays(project));
    }

    /// How many projects it remembers.
    pub fn held(&self) -> usize {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    #[test]
    fn pauses_grow_to_a_cap_and_start_over_after_a_success() {
        let backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.failed(&key("a"))).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!((pauses[0], pauses[11]), (FIRST, LONGEST));
        assert_eq!(backoff.failed(&key("b")), FIRST);
        backoff.succeeded(&key("a"));
        assert_eq!(backoff.failed(&key("a")), FIRST);
    }

    #[test]
    fn a_conflict_is_retried_sooner_and_repeated_conflicts_back_off() {
        let backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.conflicted(&key("a"))).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!((pauses[0], pauses[19]), (FIRST_CONFLICT, LONGEST));
    }
}
