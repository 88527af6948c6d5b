//! The reconcile loop on one screen: observe → decide → act until no step is left, then status → report.

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

use futures::future::OptionFuture;
use jiff::Timestamp;

use crate::backoff::Backoff;
use crate::build_queue::admit::{BuildStarter, limits};
use crate::build_queue::positions::Positions;
use crate::cluster::{self, Cluster};
use crate::config::Config;
use crate::crd::ProjectDeployment;
use crate::memory::ledger::{Attempts, Fault};
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::project::{Incomplete, Project};
use crate::status_debounce::StatusDebounce;

use act::{ActContext, Outcome, act, reverted_at_once};
use decide::{alongside, decide};
use observe::{ObserveContext, observe};
use observed::{Child, Observed, Predecessor, Refusal, RefusalReason};
use report::report;
use status::{is_routine_progress, summarize};

/// What one pass works with.
pub struct Context {
    /// Access to the API server.
    pub cluster: Cluster,
    /// Settings of the operator.
    pub config: Config,
    /// Settings of the platform owner.
    pub platform: Platform,
    /// How many times in a row each project failed.
    pub backoff: Backoff,
    /// Serializes the starts of builds.
    pub starts: BuildStarter,
    /// Positions in the build queue.
    pub positions: Positions,
    /// Projects with work in progress that no status shows yet.
    pub status_debounce: StatusDebounce,
    /// What it counts.
    pub metrics: Metrics,
}

impl Context {
    /// How much the operator holds in memory, by what it is. All of it shrinks again when projects are deleted.
    #[must_use]
    pub fn held(&self) -> Vec<(&'static str, usize)> {
        let mut held = self.cluster.caches().held();
        held.push(("projects that fail", self.backoff.held()));
        held.push(("projects with work to report", self.status_debounce.held()));
        held.push(("rejected starts of builds", self.starts.held()));
        held
    }
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object lacks what every object from an API server has.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// A read of the cluster failed.
    #[error("cannot read the child objects")]
    Observe(#[source] cluster::Error),
    /// A write failed.
    #[error("cannot apply the next step")]
    Act(#[source] cluster::Error),
    /// The status could not be written.
    #[error("cannot write the status")]
    Report(#[source] cluster::Error),
}

/// When to reconcile again if no watch event arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// After this time.
    After(Duration),
    /// With backoff, after a rejected write.
    WithBackoff,
    /// On the next watch event or the slow periodic resync.
    AwaitChange,
}

impl Requeue {
    /// The same, but after `pause` at the latest.
    fn within(self, pause: Duration) -> Self {
        match self {
            Self::After(other) => Self::After(other.min(pause)),
            Self::WithBackoff | Self::AwaitChange => Self::After(pause),
        }
    }
}

/// A pass ends after this many rounds and is repeated with backoff. This only bounds a defect.
const MAX_STEPS: usize = 64;

/// Moves the cluster as far towards the spec of `object` as is possible now.
pub async fn reconcile(object: &ProjectDeployment, context: &Context) -> Result<Requeue, Error> {
    let mut project = Project::parse(object)?;
    project.copied = context.platform.copy.of(&object.metadata);
    if project.deleting {
        return Ok(Requeue::AwaitChange); // Owner references make Kubernetes delete the children.
    }
    let (observed, next) = Box::pin(run_steps(&project, context)).await?;
    let key = (project.namespace.clone(), project.name.clone());
    let status =
        summarize(object.status.as_ref(), &project, &observed, context.config.node_address.as_deref());
    let delayed = (object.status.as_ref() != Some(&status)
        && is_routine_progress(&status)
        && observed.refusals.is_empty())
    .then(|| context.status_debounce.delay(&key, Instant::now()))
    .flatten();
    if let Some(left) = delayed {
        return Ok(next.within(left));
    }
    let written = report(&context.cluster, &context.metrics, &project, object, status, &observed.refusals);
    written.await.map_err(Error::Report)?;
    context.status_debounce.written(&key);
    Ok(next)
}

async fn run_steps(project: &Project, context: &Context) -> Result<(Observed, Requeue), Error> {
    let act_context = ActContext {
        cluster: &context.cluster,
        platform: &context.platform,
        config: &context.config,
        starts: &context.starts,
    };
    let (mut refusals, mut last): (Vec<Refusal>, Option<decide::Step>) = (vec![], None);
    for _ in 0..MAX_STEPS {
        let observe_context = ObserveContext {
            platform: &context.platform,
            retry_base: context.config.retry_seconds,
            refusals: &refusals,
            positions: &context.positions,
            starts: &context.starts,
            limits: limits(&context.config),
        };
        let observed = observe(&context.cluster, project, &observe_context).await.map_err(Error::Observe)?;
        let Some(step) = decide(project, &observed) else {
            let next = next(&observed, project);
            let contested = observed.contested.iter().map(|contested| contested.look_after).min();
            let next = contested.map_or(next, |pause| next.within(pause));
            return Ok((observed, next));
        };
        let cluster = &context.cluster;
        if cluster.may_be_deleted(project) {
            // The project may have been deleted during this pass. Kubernetes may be collecting the missing children, so
            // they must not be created again. The next pass reads the project first.
            return Err(Error::Act(cluster::Error::Conflict {
                what: format!("continue with {}", project.name),
            }));
        }
        tracing::debug!(namespace = project.namespace, name = project.name, ?step, "next step");
        if let Some(refusal) = reverted_at_once(project, &step, last.as_ref()) {
            refusals.push(refusal);
            continue;
        }
        last = Some(step.clone());
        let also = alongside(project, &observed, &step);
        let perform = |step| Box::pin(act(&act_context, project, &observed, step));
        // Both end before the next look: an answer that nothing waits for would be missing in the cache.
        let (first, second) = tokio::join!(perform(step), OptionFuture::from(also.map(perform)));
        for outcome in [Some(first), second].into_iter().flatten() {
            if let Outcome::Refused(refusal) = outcome.map_err(Error::Act)? {
                refusals.push(refusal);
            }
        }
    }
    Err(Error::Act(cluster::Error::Conflict { what: format!("finish within {MAX_STEPS} steps") }))
}

/// Pause between two passes that search for a free node port.
const NEXT_PORTS: Duration = Duration::from_secs(1);

/// Longest time in seconds between two updates of the position of a queued build. The further back, the rarer: that
/// bounds the writes of a long queue (docs/decisions/0024).
const LONGEST_WAIT: i64 = 300;

/// When to reconcile again without a watch event: after the backoff of a fault or of a version to retry, for a poll, when
/// a build or init pod that does not run reaches its limit, when a predecessor should be gone, when more can be said of a
/// new pod, and for the position in the build queue. Watch events report everything else.
fn next(observed: &Observed, project: &Project) -> Requeue {
    let mut refusals = observed.refusals.iter().filter(|refusal| refusal.child != Child::Cleanup).peekable();
    if refusals.peek().is_some() {
        let searches = refusals.all(|refusal| refusal.cause == RefusalReason::PortsTried);
        return if searches { Requeue::After(NEXT_PORTS) } else { Requeue::WithBackoff };
    }
    let seconds_to = |at: Timestamp| at.as_second() - observed.now.as_second();
    if !observed.predecessors.is_empty() {
        let due = observed.predecessors.iter().filter_map(Predecessor::due_at).map(seconds_to);
        // One that is overdue is reported already.
        let soonest = due.filter(|left| *left > 0).min();
        return soonest.map_or(Requeue::AwaitChange, after);
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
    let last = observed.jobs.iter().filter(|job| job.trouble.is_some()).filter_map(|job| job.cutoff);
    let inits = observed.inits.iter().filter(|job| job.trouble.is_some()).filter_map(|job| job.cutoff);
    let last = last.chain(inits).map(seconds_to).filter(|left| *left > 0);
    // A pod that has just started says nothing yet: look again a moment later.
    let speaks = observed.rollout.iter().filter(|rollout| !rollout.available);
    let speaks = speaks.filter_map(|rollout| rollout.judge_after).map(seconds_to);
    let again = ledger.versions.values().filter_map(|life| life.retry_at(observed.retry_base));
    let again = again.chain(decide::lost_images::lost_at(observed)).map(seconds_to);
    let last = last.chain(speaks.chain(again).filter(|left| *left > 0));
    let soonest =
        ledger.builds.values().chain(lookup).filter_map(left).chain(moved).chain(poll).chain(last).min();
    soonest.map_or(Requeue::AwaitChange, after)
}

fn after(seconds: i64) -> Requeue {
    Requeue::After(Duration::from_secs(seconds.unsigned_abs()))
}

/// A shared context.
pub type Shared = Arc<Context>;
