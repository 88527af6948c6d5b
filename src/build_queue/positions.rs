//! Places in the queue of builds, as they were a moment ago (I/O: the cache of Jobs is read). They are only told to
//! people; what starts next is computed by [`super::schedule`] each time. Memory is bounded by the number of builds that wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::admit::owned;
use super::schedule::{self, Limits};
use crate::cluster::Cluster;
use crate::image_cleanup::plan;
use jiff::Timestamp;

/// How long an order is told before it is made anew, so that many who ask at once cost one look at the queue.
const FRESH: Duration = Duration::from_secs(2);

/// When the order was made, and the place of each Job by namespace and name.
type Told = (Instant, HashMap<(String, String), u32>);

/// The place of each Job that waits.
#[derive(Debug, Default)]
pub struct Positions {
    told: Mutex<Option<Told>>,
}

impl Positions {
    /// How many builds are before this one, and itself: 1 is next. None where it does not wait.
    pub fn of(&self, cluster: &Cluster, limits: Limits, namespace: &str, job: &str) -> Option<u32> {
        let key = (namespace.to_owned(), job.to_owned());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, positions)) = told.as_ref().filter(|(at, _)| at.elapsed() < FRESH)
            && let Some(position) = positions.get(&key)
        {
            return Some(*position);
        }
        let jobs = owned(cluster);
        let cleaned = plan::under_way(&jobs, Timestamp::now());
        let order = schedule::order(&jobs, limits, |job| plan::lets_build(&cleaned, job));
        let positions: HashMap<_, _> = order.into_iter().zip(1..).collect();
        let position = positions.get(&key).copied();
        *told = Some((Instant::now(), positions));
        position
    }
}
