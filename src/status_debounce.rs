//! Which projects have work under way that their status does not tell of yet. A status that only says "under way" is
//! written once that has lasted a second: most steps of a life are shorter, and each write costs the API server and
//! every reader. Results, failures and what a person must do are never held back (docs/decisions/0015). Memory is
//! bounded by the number of projects that have work under way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long work is under way before the status says so.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Since when each project has something to announce, by uid.
#[derive(Debug, Default)]
pub struct Announcements {
    since: Mutex<HashMap<String, Instant>>,
}

impl Announcements {
    /// `uid` has something to announce at `now`: how long to hold it back still, none when it is due.
    pub fn hold(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = *since.entry(uid.to_owned()).or_insert(now);
        PAUSE.checked_sub(now.saturating_duration_since(begun)).filter(|left| !left.is_zero())
    }

    /// The status of `uid` is up to date, or the project is gone.
    pub fn told(&self, uid: &str) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_held_back_for_a_second_and_no_longer_whatever_comes_in_between() {
        let (announcements, begun) = (Announcements::default(), Instant::now());
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(announcements.hold("a", begun), Some(PAUSE));
        assert_eq!(announcements.hold("a", after(400)), Some(Duration::from_millis(600)));
        assert_eq!(announcements.hold("b", after(500)), Some(PAUSE), "each project has a second of its own");
        assert_eq!(announcements.hold("a", after(1000)), None);
        announcements.told("a");
        assert_eq!(announcements.hold("a", after(1001)), Some(PAUSE));
    }
}
