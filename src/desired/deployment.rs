//! The Deployment: one per project, selector and strategy the same for life.

use serde_json::{Value, json};

use super::{meta, names, template};
use crate::crd::spec::Takeover;
use crate::memory::record::Record;
use crate::project::Project;

/// Kubernetes' own limit is never reached: the operator alone deletes ReplicaSets, for Kubernetes would keep a failed
/// one and prune a good one.
const REVISION_HISTORY_LIMIT: i32 = 10;

/// What changes only in a write that changes the template: how long a new version is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutTimings {
    /// `minReadySeconds`.
    pub guard: i32,
    /// `progressDeadlineSeconds`.
    pub deadline: i32,
    /// `failureThreshold` of the startup probe, if there is one; none: as recorded.
    pub startup: Option<i32>,
}

impl RolloutTimings {
    /// A version on trial must survive the guard; one that was live before takes over at once.
    #[must_use]
    pub fn of(project: &Project, trial: bool) -> Self {
        let guard = if trial { project.rollout.min_ready_seconds } else { 0 };
        let startup = Some(template::startup_failures(project));
        let stop = &project.run.stop;
        let ending = match project.rollout.strategy {
            Takeover::Surge => 0,
            Takeover::Replace => stop.grace_seconds + stop.drain_seconds, // The old pods end first.
        };
        Self { guard, deadline: project.rollout.deadline_seconds + guard + ending, startup }
    }
}

fn strategy(takeover: Takeover) -> Value {
    match takeover {
        Takeover::Surge => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } })
        }
        // Null: what the API server had filled in for the other type would be refused beside this one.
        Takeover::Replace => json!({ "type": "Recreate", "rollingUpdate": null }),
    }
}

/// The whole of what the operator sets.
#[must_use]
pub fn apply(
    project: &Project,
    record: &Record,
    stamp: Option<&str>,
    replicas: i32,
    timings: RolloutTimings,
) -> Option<Value> {
    Some(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta::dressed(project, &project.name, names::ROLE_APP, template::labels(record)),
        "spec": {
            "replicas": replicas,
            "paused": false, // Else nothing is rolled out, and no deadline runs.
            "selector": { "matchLabels": meta::selector(&project.name) },
            "strategy": strategy(project.rollout.strategy),
            "revisionHistoryLimit": REVISION_HISTORY_LIMIT,
            "minReadySeconds": timings.guard,
            "progressDeadlineSeconds": timings.deadline,
            "template": template::complete(record, stamp, timings.startup)?,
        },
    }))
}
