//! Events that can happen to a project from outside: by people, nature or other actors. Their probabilities are in
//! `chance`.

use doce_operator::reconcile::observed::{Child, RefusalReason};

use super::nature::Health;

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The spec names another source.
    Source(Source),
    /// Branch, tag and `ConfigMap` move to this source.
    Push(u8),
    /// The same, with a deploy request.
    PushAndDeploy(u8),
    /// `spec.run` changes.
    Run(u8),
    /// `spec.build.epoch` changes.
    Epoch(u8),
    /// `spec.history.limit` changes.
    Limit(u8),
    /// `spec.pinnedVersion` changes.
    Pin(Which),
    /// `spec.state`.
    Stopped(bool),
    /// `spec.replicas`.
    Replicas(u8),
    /// `spec.rollout.onFailure` is Stay.
    Stays(bool),
    /// `spec.rollout.strategy` is Replace.
    Replaces(bool),
    /// `spec.expose.nodePort`: mode Fixed with this port; none: mode Auto.
    FixedPort(Option<u16>),
    /// `spec.expose.nodePort`: mode None.
    NoPort,
    /// Requests.
    Deploy,
    Rollback(Which),
    Retry,
    RetryAndRollback(Which),
    Restart,
    Cancel,
    CancelNothing,
    /// Several requests in one write, one bit per verb.
    Several(u8),
    /// The request annotations disappear.
    RequestsVanish,
    /// A tool restores the annotations of its own source: those of the first request.
    RequestsPutBack,
    /// All pods of the version in place become unhealthy like this, new ones too.
    Break(Health),
    /// New pods of the version in place become unhealthy.
    BreakNewborn,
    /// Every unhealthy version recovers.
    HealAll,
    /// The registry loses the image of the version in place, and one of its pods moves to a node without the image.
    LoseImage,
    /// Passing faults come again: the next builds and lookups meet the faults of their source again.
    FaultsAgain,
    /// An autoscaler manages the project, and the load requires this many pods; `None` removes it.
    Load(Option<u8>),
    /// The API server rejects writes of this child.
    Refuse(Child, RefusalReason),
    /// The API server accepts all writes again.
    Admit,
    /// The object is deleted and created again under its name; true: after its children are deleted.
    Recreate(bool),
    /// The object is deleted with `--cascade=orphan` and created again.
    Orphan,
    /// `kubectl rollout restart` of the Deployment.
    RolloutRestart,
    /// A user deletes or edits a child.
    LoseLedger,
    LoseDeployment,
    /// True: another Service takes the port.
    LoseService(bool),
    LoseSet(u8),
    LoseRecord(u8),
    LoseJob(u8),
    SweepJobs,
    /// A user removes the labels of a child: the ledger, a record or a Job.
    StripMarks(u8),
    EditTemplate,
    EditReplicas(u8),
    EditService,
    StripVersion,
}

/// Every kind of event, by the name of its variant.
pub(crate) const KINDS: [&str; 46] = [
    "Source",
    "Push",
    "PushAndDeploy",
    "Run",
    "Epoch",
    "Limit",
    "Pin",
    "Stopped",
    "Replicas",
    "Stays",
    "Replaces",
    "FixedPort",
    "NoPort",
    "Deploy",
    "Rollback",
    "Retry",
    "RetryAndRollback",
    "Restart",
    "Cancel",
    "CancelNothing",
    "Several",
    "RequestsVanish",
    "RequestsPutBack",
    "Break",
    "BreakNewborn",
    "HealAll",
    "LoseImage",
    "FaultsAgain",
    "Load",
    "Refuse",
    "Admit",
    "Recreate",
    "Orphan",
    "RolloutRestart",
    "LoseLedger",
    "LoseDeployment",
    "LoseService",
    "LoseSet",
    "LoseRecord",
    "LoseJob",
    "SweepJobs",
    "StripMarks",
    "EditTemplate",
    "EditReplicas",
    "EditService",
    "StripVersion",
];

/// The source in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Commit(u8),
    Branch,
    ConfigMap,
    Digest(u8),
    Tag,
}

/// A version that a person names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// None (pin), or `previous` (rollback).
    Usual,
    /// One of the records, by its position in the list.
    Nth(u8),
    /// The version that the spec yields.
    Own,
    /// The version in place.
    InPlace,
    /// A version that failed, if there is one.
    Failed,
    /// A version that never existed.
    Unknown,
}

/// What happens until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing: the operator sees both events at once.
    None,
    /// This many passes of the operator, with a tick after about half of them.
    Passes(u8),
    /// Passes and ticks until the project has settled.
    Settle,
}

impl Event {
    /// The name of its variant.
    pub(crate) fn kind(self) -> &'static str {
        let text = format!("{self:?}");
        let name = text.split('(').next().unwrap_or_default();
        KINDS.into_iter().find(|kind| *kind == name).expect("every variant has a name in the list")
    }

    /// A user writes the event into the resource, and the operator sees its whole effect at once. Events that take time
    /// are not included: a lookup, during which the last answer counts, and new pods.
    pub(crate) fn takes_effect_at_once(self) -> bool {
        use Event::{
            Cancel, CancelNothing, Epoch, FixedPort, Limit, Pin, Replaces, Replicas, RequestsVanish,
            Rollback, Run, Source, Stays, Stopped,
        };
        let requests = matches!(self, Rollback(_) | Cancel | CancelNothing | RequestsVanish);
        let spec =
            matches!(self, Source(_) | Run(_) | Epoch(_) | Limit(_) | Pin(_) | Replicas(_) | FixedPort(_));
        requests || spec || matches!(self, Stopped(_) | Stays(_) | Replaces(_))
    }
}
