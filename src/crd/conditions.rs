//! Condition types and reasons: closed lists, each documented where it is declared. No other file names one.

use crate::text::bounded;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Types of the conditions on a `ProjectDeployment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// What is asked for serves.
    Ready,
    /// Something good serves.
    Available,
    /// The wanted version has an image.
    Built,
    /// The project has its node port.
    PortAllocated,
    /// There is a version that one can go back to without a build.
    RollbackAvailable,
    /// Work is under way (kstatus). Only there while true.
    Reconciling,
    /// Nothing more happens without a person (kstatus). Only there while true.
    Stalled,
}

impl ConditionType {
    /// The name on the resource.
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
        /// Why a condition is as it is. Stable: scripts may compare it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word on the resource.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// The operator has not looked at this generation yet.
    Unseen,
    /// The ref, tag or ConfigMap is being looked up.
    Resolving,
    /// A build waits for its turn.
    Queued,
    /// The image is being built.
    Building,
    /// The version is being rolled out.
    Starting,
    /// Pods are being started anew: by doce.dev/restart, or by kubectl rollout restart, which leaves Ready True while the
    /// pods from before serve.
    Restarting,
    /// The version that is asked for serves, and pods are being added or taken away. Ready stays True while at least one
    /// pod serves and none is unwell.
    Scaling,
    /// What is asked for serves.
    Serving,
    /// A rollback holds: an older version serves, as asked.
    Held,
    /// pinnedVersion serves, as asked.
    Pinned,
    /// The project is stopped or scaled to 0, as asked.
    Stopped,
    /// The project is stopped or scaled to 0, as asked, and its pods are ending.
    Stopping,
    /// The pods that served do not, or not all of them.
    Unavailable,
    /// The source could not be looked up or fetched, and no login was refused; tried again with growing pauses.
    SourceUnavailable,
    /// The host of the source asks for a login or refuses the one it is given; tried again with growing pauses.
    SourceAuthFailed,
    /// The ConfigMap that spec.source names does not exist.
    ConfigMapNotFound,
    /// A Secret or key that spec.build.secrets names does not exist; tried again with growing pauses.
    BuildSecretMissing,
    /// The registry of the image does not answer, or not as it should; tried again with growing pauses.
    RegistryUnavailable,
    /// The registry refused the image: the login is missing, or wrong, or has not the right; tried again with growing pauses.
    RegistryDenied,
    /// The registry has no room for the image; tried again with growing pauses.
    RegistryFull,
    /// The build pod could not run or ended without a report; tried again with growing pauses.
    BuildFault,
    /// The build needed more memory than its limit and was ended; tried again with growing pauses.
    OutOfMemory,
    /// The build, or the fetch of its source, found the disk full; tried again with growing pauses.
    OutOfDisk,
    /// The node put the build pod out, for want of disk, say; tried again with growing pauses.
    Evicted,
    /// No node takes the build pod; Kubernetes keeps trying until the build's deadline.
    Unschedulable,
    /// An image of the build pod itself cannot be pulled; Kubernetes keeps trying until the build's deadline.
    BuilderImageUnavailable,
    /// Pod Security, a quota or a policy of the namespace lets no build pod in; Kubernetes keeps trying until the build's
    /// deadline.
    PodForbidden,
    /// The time of the build was over before it could say why; tried again with growing pauses.
    BuildTimeout,
    /// The source does not build.
    BuildFailed,
    /// Somebody cancelled the build.
    Cancelled,
    /// The init command of the version failed: its pods are not started.
    InitFailed,
    /// The version did not become ready within its deadline, or cannot.
    RolloutFailed,
    /// The image runs as root and run.security is Restricted: the version is not started.
    ImageRunsAsRoot,
    /// pinnedVersion names no version that is remembered, or more than one.
    VersionUnknown,
    /// An object of another owner has the name of one of ours.
    NameTaken,
    /// Children of a deleted namesake are still there.
    Predecessor,
    /// The API server refuses a child that the spec asks for.
    InvalidSpec,
    /// Something else, an admission policy for one, changes a child whenever it is written.
    Altered,
    /// No port of the range is free.
    PortsExhausted,
    /// The port that the spec asks for is taken or not in the API server's range.
    PortUnavailable,
    /// The port is allocated.
    Allocated,
    /// The wanted version has an image.
    ImageReady,
    /// The source is a prebuilt image.
    Prebuilt,
    /// A version can be gone back to.
    VersionKept,
    /// There is no other version that served.
    NoOtherVersion,
    /// Nothing has been built yet.
    NothingYet,
}

impl Reason {
    /// The reason of a fault that has a word of its own here; none for the others.
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
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Not known yet.
    Unknown,
}

impl Truth {
    /// The word on the resource.
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

/// A condition as it should be, before it is compared with what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Which condition.
    pub kind: ConditionType,
    /// Whether it is so.
    pub truth: Truth,
    /// Why, in one word.
    pub reason: Reason,
    /// What happened and what to do next.
    pub message: String,
}

/// The list of conditions for `generation`: transition times of `old` are kept where the status did not change.
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
