//! The Deployment: one per project, with a selector that never changes.

use serde_json::{Value, json};

use super::{meta, names, template};
use crate::crd::spec::Takeover;
use crate::memory::record::Record;
use crate::project::Project;

/// A limit that is never reached: the operator deletes ReplicaSets itself, because Kubernetes would keep a failed one
/// and prune a good one.
const REVISION_HISTORY_LIMIT: i32 = 10;

/// Timings of a rollout. They change only in a write that changes the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutTimings {
    /// `minReadySeconds`.
    pub guard: i32,
    /// `progressDeadlineSeconds`.
    pub deadline: i32,
    /// `failureThreshold` of the startup probe; `None`: as recorded.
    pub startup: Option<i32>,
}

impl RolloutTimings {
    /// Timings for a project. A version on trial must survive the guard; one that was live before takes over at once.
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
        // Null removes the defaults that the API server set for the other type: it would reject them next to this one.
        Takeover::Replace => json!({ "type": "Recreate", "rollingUpdate": null }),
    }
}

/// All fields that the operator sets.
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
            "paused": false, // While paused, nothing rolls out and no deadline runs.
            "selector": { "matchLabels": meta::selector(&project.name) },
            "strategy": strategy(project.rollout.strategy),
            "revisionHistoryLimit": REVISION_HISTORY_LIMIT,
            "minReadySeconds": timings.guard,
            "progressDeadlineSeconds": timings.deadline,
            "template": template::complete(record, stamp, timings.startup)?,
        },
    }))
}
