//! Labels and owners that the operator restored lately. If something strips them again and again, the operator says so and
//! restores them with backoff. Losing this memory costs a few more repairs. Nothing here talks to the API server.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::project::Key;

/// Repairs in a row after which a child is contested.
const CONTESTED: u32 = 4;
/// Two repairs are in a row if no more than this is between them, besides the pause.
const AGAIN: Duration = Duration::from_mins(1);
/// Pause after the repair that makes a child contested. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// The repairs of each project.
#[derive(Debug, Default)]
pub struct Repairs {
    of: Mutex<HashMap<Key, BTreeMap<Object, Repaired>>>,
}

/// Kind and name of a child.
pub type Object = (String, String);

#[derive(Debug)]
struct Repaired {
    times: u32,
    last: Instant,
    field: String,
    by: Option<String>,
}

/// A child that something changes after every repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// Kind and name of the child.
    pub object: Object,
    /// What was restored last: a label or the owner.
    pub field: String,
    /// The field manager that changes it, if the API server recorded one.
    pub by: Option<String>,
    /// The next repair has to wait.
    pub waits: bool,
    /// When that changes, or when the contest ends without a further repair.
    pub left: Duration,
}

impl Repairs {
    /// Notes a repair.
    pub fn note(&self, project: Key, object: Object, field: String, by: Option<String>) {
        let mut of = self.lock();
        let repaired = of.entry(project).or_default();
        let before = repaired.get(&object).filter(|before| !before.ended());
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let by =
            by.or_else(|| before.filter(|before| before.field == field).and_then(|before| before.by.clone()));
        repaired.insert(object, Repaired { times, last: Instant::now(), field, by });
    }

    /// Whether the next repair of this child could be one too many: then its writer is worth a look.
    pub fn is_suspect(&self, project: &Key, object: &Object) -> bool {
        let of = self.lock();
        let repaired = of.get(project).and_then(|repaired| repaired.get(object));
        repaired.is_some_and(|repaired| !repaired.ended() && repaired.times + 1 >= CONTESTED)
    }

    /// The contested children of the project.
    pub fn contests(&self, project: &Key) -> Vec<Contest> {
        let mut of = self.lock();
        let Some(repaired) = of.get_mut(project) else { return vec![] };
        repaired.retain(|_, repaired| !repaired.ended());
        let contests = repaired.iter().filter_map(|(object, repaired)| repaired.contest(object)).collect();
        if repaired.is_empty() {
            of.remove(project);
        }
        contests
    }

    /// Drops what is remembered of a project that is gone.
    pub fn forget(&self, project: &Key) {
        self.lock().remove(project);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, BTreeMap<Object, Repaired>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repaired {
    fn pause(&self) -> Duration {
        match self.times.checked_sub(CONTESTED) {
            Some(more) => FIRST_PAUSE.saturating_mul(1 << more.min(16)).min(LONGEST_PAUSE),
            None => Duration::ZERO,
        }
    }

    fn ended(&self) -> bool {
        self.last.elapsed() >= self.pause() + AGAIN
    }

    fn contest(&self, object: &Object) -> Option<Contest> {
        let (elapsed, pause) = (self.last.elapsed(), self.pause());
        let waits = elapsed < pause;
        let left = if waits { pause } else { pause + AGAIN }.saturating_sub(elapsed);
        let Self { field, by, .. } = self;
        (self.times >= CONTESTED).then(|| Contest {
            object: object.clone(),
            field: field.clone(),
            by: by.clone(),
            waits,
            left,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn shop() -> Key {
        ("n".to_owned(), "shop".to_owned())
    }

    fn ledger() -> Object {
        ("ControllerRevision".to_owned(), "shop".to_owned())
    }

    fn repair(repairs: &Repairs, by: Option<&str>) {
        repairs.note(shop(), ledger(), "label a".to_owned(), by.map(str::to_owned));
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_is_contested_after_four_repairs_in_a_row_and_its_repairs_wait_longer_and_longer() {
        let repairs = Repairs::default();
        for _ in 0..3 {
            assert!(repairs.contests(&shop()).is_empty());
            repair(&repairs, None);
            advance(Duration::from_secs(59)).await;
        }
        assert!(repairs.is_suspect(&shop(), &ledger()));
        repair(&repairs, Some("police"));
        let mut pauses = vec![];
        for _ in 0..9 {
            let [contest] = &repairs.contests(&shop())[..] else { panic!("it is contested") };
            assert_eq!((contest.waits, contest.by.as_deref()), (true, Some("police")));
            pauses.push(contest.left.as_secs());
            advance(contest.left).await;
            assert!(!repairs.contests(&shop())[0].waits, "it may be repaired, and it is still named");
            repair(&repairs, None);
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        advance(LONGEST_PAUSE + AGAIN).await;
        assert!(repairs.contests(&shop()).is_empty(), "the last repair lasted");
        assert!(repairs.lock().is_empty(), "memory is bounded");
    }

    #[tokio::test(start_paused = true)]
    async fn repairs_that_are_not_in_a_row_and_those_of_other_children_are_no_contest() {
        let repairs = Repairs::default();
        for number in 0..8 {
            repair(&repairs, None);
            repairs.note(shop(), ("Job".to_owned(), number.to_string()), "the owner".to_owned(), None);
            advance(AGAIN).await;
        }
        assert!(repairs.contests(&shop()).is_empty());
        assert!(!repairs.is_suspect(&shop(), &ledger()));
    }
}
