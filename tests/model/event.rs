//! What can happen to a project from outside: people, nature, other hands. Only the shapes; how likely they are is in
//! `chance`.

use doce_operator::reconcile::observed::{Child, RefusalReason};

use super::nature::Health;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The spec names another source.
    Source(Source),
    /// Branch, tag and `ConfigMap` move to this source.
    Push(u8),
    /// The same, and a deploy request.
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
    /// Requests.
    Deploy,
    Rollback(Which),
    Retry,
    RetryAndRollback(Which),
    Restart,
    Cancel,
    CancelNothing,
    /// Several requests in one write, one bit a verb.
    Several(u8),
    /// The annotations vanish.
    RequestsVanish,
    /// A tool puts back the annotations that its own source has: those of the first request ever made.
    RequestsPutBack,
    /// All pods of the version in place fall ill like this, new ones too.
    Break(Health),
    /// New pods of the version in place fall ill.
    BreakNewborn,
    /// Everything that was ever ill is well.
    HealAll,
    /// What passed once comes again: the next builds and lookups meet the faults of their source anew.
    FaultsAgain,
    /// An autoscaler looks after the project, and the load asks for so many pods; none: it is gone.
    Load(Option<u8>),
    /// The API server refuses writes of this child.
    Refuse(Child, RefusalReason),
    /// It refuses none any more.
    Admit,
    /// The object is deleted and made again under its name; true: once its children are gone.
    Recreate(bool),
    /// The object is deleted with `--cascade=orphan` and made again.
    Orphan,
    /// `kubectl rollout restart` of the Deployment.
    RolloutRestart,
    /// Somebody deletes or edits a child.
    LoseLedger,
    LoseDeployment,
    /// True: and the port goes to somebody else.
    LoseService(bool),
    LoseSet(u8),
    LoseRecord(u8),
    LoseJob(u8),
    SweepJobs,
    /// Somebody takes the labels of a child: the ledger, a record or a Job.
    StripMarks(u8),
    EditTemplate,
    EditReplicas(u8),
    EditService,
    StripVersion,
}

/// Every kind of event, by the name of its shape.
pub(crate) const KINDS: [&str; 44] = [
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

/// What the spec names as source.
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
    /// One of the records, by its place in the list.
    Nth(u8),
    /// What the spec yields by itself.
    Own,
    /// What runs.
    InPlace,
    /// A version that failed, if there is one.
    Failed,
    /// None that there ever was.
    Unknown,
}

/// How much happens until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing: both are seen at once.
    None,
    /// So many passes of the operator, and a tick after about half of them.
    Passes(u8),
    /// Until everything is quiet.
    Settle,
}

impl Event {
    /// The name of its shape.
    pub(crate) fn kind(self) -> &'static str {
        let text = format!("{self:?}");
        let name = text.split('(').next().unwrap_or_default();
        KINDS.into_iter().find(|kind| *kind == name).expect("every shape has a name in the list")
    }

    /// People wrote it into the resource, and the operator sees at once all that it means. What takes its time beside
    /// something else is not of these: a lookup, during which the last answer counts, and new pods.
    pub(crate) fn is_plain_wish(self) -> bool {
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
