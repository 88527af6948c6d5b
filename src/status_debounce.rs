//! Delays status writes that only report work in progress until the work has lasted a second. Most steps take less, and
//! each write costs the API server and every reader. Results, failures and what the user must do are never delayed
//! (docs/decisions/0015). Memory is bounded by the number of projects with work in progress.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long work is in progress before status reports it.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Since when each project has work that its status does not report yet, by uid.
#[derive(Debug, Default)]
pub struct StatusDebounce {
    since: Mutex<HashMap<String, Instant>>,
}

impl StatusDebounce {
    /// Notes that `uid` has work in progress at `now`. Returns how long to delay the write; none if it is due.
    pub fn delay(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = *since.entry(uid.to_owned()).or_insert(now);
        PAUSE.checked_sub(now.saturating_duration_since(begun)).filter(|left| !left.is_zero())
    }

    /// Notes that the status of `uid` is up to date, or that the project is deleted.
    pub fn written(&self, uid: &str) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_waits_for_one_second_and_no_longer() {
        let (status_debounce, begun) = (StatusDebounce::default(), Instant::now());
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(status_debounce.delay("a", begun), Some(PAUSE));
        assert_eq!(status_debounce.delay("a", after(400)), Some(Duration::from_millis(600)));
        assert_eq!(
            status_debounce.delay("b", after(500)),
            Some(PAUSE),
            "each project has a second of its own"
        );
        assert_eq!(status_debounce.delay("a", after(1000)), None);
        status_debounce.written("a");
        assert_eq!(status_debounce.delay("a", after(1001)), Some(PAUSE));
    }
}
