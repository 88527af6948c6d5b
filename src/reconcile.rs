//! The loop on one screen: observe → decide → act, until nothing is left to do, then status → report.

pub mod act;
pub mod decide;
pub mod facts;
pub mod observe;
pub mod observed;
pub mod report;
pub mod status;
pub mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::build_queue::admit::{Starts, limits};
use crate::build_queue::positions::Positions;
use crate::cluster::{self, Cluster};
use crate::config::Config;
use crate::crd::ProjectDeployment;
use crate::memory::ledger::{Attempts, Fault};
use crate::platform::Platform;
use crate::project::{Incomplete, Project};
use crate::status_debounce::Announcements;

use act::{Hand, Outcome, act, undone};
use decide::decide;
use observe::{Surroundings, observe};
use observed::{Child, Observed, Refusal};
use report::report;
use status::{announces, summarize};

/// What one pass works with.
pub struct Context {
    /// The door to the API server.
    pub cluster: Cluster,
    /// Settings of the operator.
    pub config: Config,
    /// What the platform adds to the children.
    pub platform: Platform,
    /// How often in a row each project failed.
    pub backoff: Backoff,
    /// Builds are started one at a time.
    pub starts: Starts,
    /// Places in the queue of builds.
    pub positions: Positions,
    /// Which projects have work under way that no status tells of yet.
    pub announcements: Announcements,
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object did not come from an API server.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// A look at the cluster failed.
    #[error("cannot look at the children")]
    Observe(#[source] cluster::Error),
    /// A write failed.
    #[error("cannot go on")]
    Act(#[source] cluster::Error),
    /// The status could not be written.
    #[error("cannot report")]
    Report(#[source] cluster::Error),
}

/// When to look again if no watch tells of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// After this time.
    After(Duration),
    /// Refused: after a pause that grows each time.
    WithBackoff,
    /// Only the slow safety net.
    AwaitChange,
}

impl Requeue {
    /// The same, and not later than after `pause`.
    fn within(self, pause: Duration) -> Self {
        match self {
            Self::After(other) => Self::After(other.min(pause)),
            Self::WithBackoff | Self::AwaitChange => Self::After(pause),
        }
    }
}

/// A pass ends after this many writes; a watch will begin another. It only bounds a defect.
const MAX_STEPS: usize = 64;

/// Brings the cluster as far towards what `object` asks for as can be gone now.
pub async fn reconcile(object: &ProjectDeployment, context: &Context) -> Result<Requeue, Error> {
    let mut project = Project::parse(object)?;
    project.copied = context.platform.copy.of(&object.metadata);
    if project.deleting {
        return Ok(Requeue::AwaitChange); // Owner references do all that is left to do.
    }
    let (observed, next) = Box::pin(settle(&project, context)).await?;
    let status =
        summarize(object.status.as_ref(), &project, &observed, context.config.node_address.as_deref());
    let held =
        (object.status.as_ref() != Some(&status) && announces(&status) && observed.refusals.is_empty())
            .then(|| context.announcements.hold(&project.uid, Instant::now()))
            .flatten();
    if let Some(left) = held {
        return Ok(next.within(left));
    }
    report(&context.cluster, object, status, &observed.refusals).await.map_err(Error::Report)?;
    context.announcements.told(&project.uid);
    Ok(next)
}

async fn settle(project: &Project, context: &Context) -> Result<(Observed, Requeue), Error> {
    let hand = Hand {
        cluster: &context.cluster,
        platform: &context.platform,
        config: &context.config,
        starts: &context.starts,
    };
    let (mut refusals, mut last): (Vec<Refusal>, Option<decide::Step>) = (vec![], None);
    for _ in 0..MAX_STEPS {
        let around = Surroundings {
            platform: &context.platform,
            retry_base: context.config.retry_seconds,
            refusals: &refusals,
            positions: &context.positions,
            limits: limits(&context.config),
        };
        let observed = observe(&context.cluster, project, &around).await.map_err(Error::Observe)?;
        let Some(step) = decide(project, &observed) else {
            let next = next(&observed, project);
            return Ok((observed, next));
        };
        let cluster = &context.cluster;
        if cluster.is_in_doubt(project) {
            // Deleted while this pass went on, or so it seems: what is missing may be being collected and must not be made
            // anew. The next pass reads the project first.
            return Err(Error::Act(cluster::Error::Conflict {
                what: format!("go on with {}", project.name),
            }));
        }
        tracing::debug!(namespace = project.namespace, name = project.name, ?step, "next step");
        if let Some(refusal) = undone(project, &step, last.as_ref()) {
            refusals.push(refusal);
            continue;
        }
        last = Some(step.clone());
        match Box::pin(act(&hand, project, &observed, step)).await.map_err(Error::Act)? {
            Outcome::Done => {}
            Outcome::Refused(refusal) => refusals.push(refusal),
        }
    }
    Err(Error::Act(cluster::Error::Conflict { what: format!("settle within {MAX_STEPS} steps") }))
}

/// Longest time in seconds after which a build that waits looks at its place again. The further back, the less often:
/// that bounds the writes of a long queue (docs/decisions/0024).
const LONGEST_WAIT: i64 = 300;

/// Pauses after faults end by the clock, and so does the time of a build whose pod does not run; nobody tells a build that
/// waits how the queue moves. Everything else is told by a watch.
fn next(observed: &Observed, project: &Project) -> Requeue {
    if observed.refusals.iter().any(|refusal| refusal.child != Child::Cleanup) {
        return Requeue::WithBackoff;
    }
    let moved = observed.position.map(|position| (i64::from(position) + 10).min(LONGEST_WAIT));
    let left = |attempts: &Attempts| -> Option<i64> {
        let pause = |fault: &Fault| fault.left(observed.retry_base, observed.now);
        attempts.fault.as_ref().filter(|_| attempts.failed.is_none()).map(pause).filter(|left| *left > 0)
    };
    let Some(ledger) = observed.ledger.as_ref().filter(|_| !project.stopped()) else {
        return Requeue::AwaitChange;
    };
    let lookup = ledger.lookup.iter().map(|lookup| &lookup.attempts);
    let poll = decide::poll::left(project, observed);
    let last = observed.jobs.iter().filter(|job| job.trouble.is_some()).filter_map(|job| job.last_words);
    let inits = observed.inits.iter().filter(|job| job.trouble.is_some()).filter_map(|job| job.last_words);
    let last =
        last.chain(inits).map(|last| last.as_second() - observed.now.as_second()).filter(|left| *left > 0);
    // A pod that has only just begun is asked nothing: more can be said of it a moment later.
    let speaks = observed.rollout.iter().filter(|rollout| !rollout.available);
    let speaks = speaks.filter_map(|rollout| Some(rollout.speaks_at?.as_second() - observed.now.as_second()));
    let again = ledger.versions.values().filter_map(|life| life.tried_again_at(observed.retry_base));
    let again = again.map(|at| at.as_second() - observed.now.as_second());
    let last = last.chain(speaks.chain(again).filter(|left| *left > 0));
    let soonest =
        ledger.builds.values().chain(lookup).filter_map(left).chain(moved).chain(poll).chain(last).min();
    soonest
        .map_or(Requeue::AwaitChange, |seconds| Requeue::After(Duration::from_secs(seconds.unsigned_abs())))
}

/// A shared context.
pub type Shared = Arc<Context>;
