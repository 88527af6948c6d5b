//! Condition types and reasons. Both lists are closed: no other file declares one.

use crate::text::bounded;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Types of the conditions on a `ProjectDeployment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The target serves.
    Ready,
    /// A good version serves, perhaps an older one.
    Available,
    /// The target has an image.
    Built,
    /// The project has a node port.
    PortAllocated,
    /// There is a version to roll back to without a build.
    RollbackAvailable,
    /// Work is in progress (kstatus). Present only while True.
    Reconciling,
    /// Nothing more happens without the user (kstatus). Present only while True.
    Stalled,
}

impl ConditionType {
    /// Its `type` in status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Available => "Available",
            Self::Built => "Built",
            Self::PortAllocated => "PortAllocated",
            Self::RollbackAvailable => "RollbackAvailable",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Reason of a condition. Names are stable, because scripts compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its `reason` in status.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// The operator has not seen this generation yet.
    Unseen,
    /// The operator looks up the ref, tag or ConfigMap.
    Resolving,
    /// A build waits in the build queue.
    Queued,
    /// The build of the image runs.
    Building,
    /// The operator rolls out the version.
    Starting,
    /// Pods are restarting: by doce.dev/restart, or by kubectl rollout restart. With the latter, Ready stays True while
    /// the old pods serve.
    Restarting,
    /// The target serves, and pods are being added or removed. Ready stays True while at least one pod serves and none
    /// is unhealthy.
    Scaling,
    /// The version that the spec yields serves.
    Serving,
    /// A rollback holds, and its target serves.
    Held,
    /// The version in pinnedVersion serves.
    Pinned,
    /// The project is stopped or scaled to 0.
    Stopped,
    /// The project is stopped or scaled to 0, and its pods are ending.
    Stopping,
    /// The image of the version is gone from its registry, so it is built again, with backoff. As reason of RollbackAvailable:
    /// a rollback needs a build first.
    ImageLost,
    /// Pods of the live version are down or cannot start.
    Unavailable,
    /// The lookup or fetch of the source failed, but not because of the login. Retried with backoff.
    SourceUnavailable,
    /// The host of the source requires a login or rejects the given one. Retried with backoff.
    SourceAuthFailed,
    /// The ConfigMap that spec.source names does not exist.
    ConfigMapNotFound,
    /// A Secret or key that spec.build.secrets names does not exist. Retried with backoff.
    BuildSecretMissing,
    /// The registry of the image does not answer, or answers with an error. Retried with backoff.
    RegistryUnavailable,
    /// The registry rejected the image: the login is missing, is wrong or lacks the permission. Retried with backoff.
    RegistryDenied,
    /// The registry has no space for the image. Retried with backoff.
    RegistryFull,
    /// The build pod could not run or ended without a report. Retried with backoff.
    BuildFault,
    /// Kubernetes killed the build because it exceeded its memory limit. Retried with backoff.
    OutOfMemory,
    /// The disk was full during the build or during the fetch of its source. Retried with backoff.
    OutOfDisk,
    /// The node evicted the build pod, for example because its disk was full. Retried with backoff.
    Evicted,
    /// No node accepts the build pod. Kubernetes keeps trying until the build's deadline.
    Unschedulable,
    /// The node cannot pull an image of the build pod. Kubernetes keeps trying until the build's deadline.
    BuilderImageUnavailable,
    /// Pod Security, a quota or an admission policy rejects the build pod. Kubernetes keeps trying until the build's
    /// deadline.
    PodForbidden,
    /// The build timed out before it could report a cause. Retried with backoff.
    BuildTimeout,
    /// The source does not build.
    BuildFailed,
    /// A user cancelled the build.
    Cancelled,
    /// The init command of the version failed, so its pods do not start.
    InitFailed,
    /// The version did not become ready within its deadline, or can never start.
    RolloutFailed,
    /// The image runs as root and run.security is Restricted, so its pods do not start.
    ImageRunsAsRoot,
    /// pinnedVersion names no kept version, or more than one.
    VersionUnknown,
    /// An object of another owner has the name of a child.
    NameTaken,
    /// Children of a deleted project with the same name still exist.
    Predecessor,
    /// The API server rejects a child of the spec, or the platform rejects a field.
    InvalidSpec,
    /// Something else, such as an admission policy, changes a child on every write.
    Altered,
    /// No port of the range is free.
    PortsExhausted,
    /// The port in the spec is taken or outside the API server's range, or the range of projects is outside of it, or the
    /// operator is still searching for a free port.
    PortUnavailable,
    /// The project has its port.
    Allocated,
    /// spec.expose.nodePort.mode is None, so the project has no port. This is no error.
    NotRequested,
    /// The target has an image.
    ImageReady,
    /// The source is a prebuilt image.
    Prebuilt,
    /// There is a version to roll back to.
    VersionKept,
    /// No other version was ever live.
    NoOtherVersion,
    /// There is no build yet.
    NothingYet,
}

impl Reason {
    /// The reason with the same name as the fault `word`; none for faults that share a reason.
    #[must_use]
    pub fn of_fault(word: &str) -> Option<Self> {
        const OWN: [Reason; 11] = [
            Reason::SourceAuthFailed,
            Reason::BuildSecretMissing,
            Reason::RegistryDenied,
            Reason::RegistryFull,
            Reason::OutOfMemory,
            Reason::OutOfDisk,
            Reason::Evicted,
            Reason::Unschedulable,
            Reason::BuilderImageUnavailable,
            Reason::PodForbidden,
            Reason::BuildTimeout,
        ];
        OWN.into_iter().find(|reason| reason.name() == word)
    }
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// The condition holds.
    True,
    /// It does not hold.
    False,
    /// It is not known yet.
    Unknown,
}

impl Truth {
    /// Its `status` in a condition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(so: bool) -> Self {
        if so { Self::True } else { Self::False }
    }
}

/// Longest message of a condition, in bytes.
pub const MAX_MESSAGE: usize = 1024;

/// A desired condition, before the comparison with the one in status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Which condition.
    pub kind: ConditionType,
    /// Its status.
    pub truth: Truth,
    /// Its reason.
    pub reason: Reason,
    /// What happened and what to do next.
    pub message: String,
}

impl ConditionUpdate {
    /// A desired condition.
    #[must_use]
    pub fn new(kind: ConditionType, truth: Truth, reason: Reason, message: String) -> Self {
        Self { kind, truth, reason, message }
    }
}

/// The conditions for `generation`. Keeps transition times of `old` where the status did not change.
#[must_use]
pub fn merge(old: &[Condition], updates: &[ConditionUpdate], generation: i64, now: &Time) -> Vec<Condition> {
    let before = |name: &str| old.iter().find(|condition| condition.type_ == name);
    let condition = |update: &ConditionUpdate| {
        let (name, status) = (update.kind.name(), update.truth.name());
        let unchanged = before(name).filter(|condition| condition.status == status);
        Condition {
            type_: name.to_owned(),
            status: status.to_owned(),
            reason: update.reason.name().to_owned(),
            message: bounded(&update.message, MAX_MESSAGE),
            observed_generation: Some(generation),
            last_transition_time: unchanged
                .map_or_else(|| now.clone(), |condition| condition.last_transition_time.clone()),
        }
    };
    updates.iter().map(condition).collect()
}
