//! Positions in the build queue, at most a moment old (I/O: reads the cache of Jobs). They are only for people;
//! [`super::schedule`] computes each time what starts next. Memory is bounded by the number of queued builds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::admit::{owned, places};
use super::schedule::{self, Limits};
use crate::cluster::Cluster;
use crate::image_cleanup::plan;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;

/// How long computed positions stay valid, so that many readers at once cost one computation.
const FRESH: Duration = Duration::from_secs(2);

/// When the positions were computed, and the position of each Job by namespace and name.
type Told = (Instant, HashMap<(String, String), u32>);

/// The position of each queued Job.
#[derive(Debug, Default)]
pub struct Positions {
    told: Mutex<Option<Told>>,
}

impl Positions {
    /// Position of a Job: 1 is next. `None` if it is not queued.
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
        let may_start = |job: &Job| plan::lets_build(&cleaned, job);
        let order = |(jobs, limits): &(Vec<_>, _)| schedule::queue_order(jobs, *limits, may_start);
        let places = places(cluster, jobs, limits);
        let positions: HashMap<_, _> =
            places.each().flat_map(|queue| order(queue).into_iter().zip(1..)).collect();
        let position = positions.get(&key).copied();
        *told = Some((Instant::now(), positions));
        position
    }
}
