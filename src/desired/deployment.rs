//! The Deployment: one per project, selector and strategy the same for life.

use serde_json::{Value, json};

use super::{meta, names, template};
use crate::project::Project;
use crate::record::Record;

/// Kubernetes' own limit is never reached: the operator alone deletes ReplicaSets, for Kubernetes would keep a failed
/// one and prune a good one.
const REVISION_HISTORY_LIMIT: i32 = 10;

/// What changes only in a write that changes the template: how long a new version is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// `minReadySeconds`.
    pub guard: i32,
    /// `progressDeadlineSeconds`.
    pub deadline: i32,
    /// `failureThreshold` of the startup probe, if there is one; none: as recorded.
    pub startup: Option<i32>,
}

impl Watch {
    /// A version on trial must survive the guard; one that was live before takes over at once.
    #[must_use]
    pub fn of(project: &Project, trial: bool) -> Self {
        let guard = if trial { project.rollout.min_ready_seconds } else { 0 };
        let startup = Some(template::startup_failures(project));
        Self { guard, deadline: project.rollout.deadline_seconds + guard, startup }
    }
}

/// The whole of what the operator sets.
#[must_use]
pub fn apply(
    project: &Project,
    record: &Record,
    stamp: Option<&str>,
    replicas: i32,
    watch: Watch,
) -> Option<Value> {
    Some(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta::child(project, &project.name, names::ROLE_APP),
        "spec": {
            "replicas": replicas,
            "paused": false, // Else nothing is rolled out, and no deadline runs.
            "selector": { "matchLabels": meta::selector(&project.name) },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "revisionHistoryLimit": REVISION_HISTORY_LIMIT,
            "minReadySeconds": watch.guard,
            "progressDeadlineSeconds": watch.deadline,
            "template": template::complete(record, stamp, watch.startup)?,
        },
    }))
}
