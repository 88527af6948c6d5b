//! Delays status writes that only report work in progress until the work has lasted a second. Most steps take less, and
//! each write costs the API server and every reader. Results, failures and what the user must do are never delayed
//! (docs/decisions/0015). Memory is bounded by the number of projects with work in progress.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::project::Key;

/// How long work is in progress before status reports it.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Since when each project has work that its status does not report yet, by namespace and name.
#[derive(Debug, Default)]
pub struct StatusDebounce {
    since: Mutex<HashMap<Key, Instant>>,
}

impl StatusDebounce {
    /// Notes that `project` has work in progress at `now`. Returns how long to delay the write; none if it is due.
    pub fn delay(&self, project: &Key, now: Instant) -> Option<Duration> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = *since.entry(project.clone()).or_insert(now);
        PAUSE.checked_sub(now.saturating_duration_since(begun)).filter(|left| !left.is_zero())
    }

    /// Notes that the status of `project` is up to date, or that the project is deleted.
    pub fn written(&self, project: &Key) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).remove(project);
    }

    /// Forgets all other projects.
    pub fn keep_only(&self, stays: impl Fn(&Key) -> bool) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).retain(|project, _| stays(project));
    }

    /// How many projects it remembers.
    pub fn held(&self) -> usize {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    #[test]
    fn an_announcement_waits_for_one_second_and_no_longer() {
        let (status_debounce, begun) = (StatusDebounce::default(), Instant::now());
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(status_debounce.delay(&key("a"), begun), Some(PAUSE));
        assert_eq!(status_debounce.delay(&key("a"), after(400)), Some(Duration::from_millis(600)));
        assert_eq!(
            status_debounce.delay(&key("b"), after(500)),
            Some(PAUSE),
            "each project has a second of its own"
        );
        assert_eq!(status_debounce.delay(&key("a"), after(1000)), None);
        status_debounce.written(&key("a"));
        assert_eq!(status_debounce.delay(&key("a"), after(1001)), Some(PAUSE));
    }
}
