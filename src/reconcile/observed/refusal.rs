//! Rejected writes that a person must know about. Pure data.

/// A write that was rejected for a reason that a person must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The child of the write.
    pub child: Child,
    /// Why it was rejected.
    pub cause: RefusalReason,
    /// The message for people.
    pub message: String,
}

/// Groups of children. A refusal stops writes of its group only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// The ledger, or the image in a record: without them the operator can remember nothing.
    Ledger,
    /// A new record.
    Record,
    /// A build Job.
    Job,
    /// A Job that runs an init command.
    Init,
    /// A Job that deletes an image. Nothing waits for it.
    Cleanup,
    /// The Deployment.
    Deployment,
    /// The Service.
    Service,
    /// The NetworkPolicy.
    NetworkPolicy,
}

impl Child {
    /// The kind of its objects.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ledger | Self::Record => "ControllerRevision",
            Self::Job | Self::Init | Self::Cleanup => "Job",
            Self::Deployment => "Deployment",
            Self::Service => "Service",
            Self::NetworkPolicy => "NetworkPolicy",
        }
    }
}

/// Why a write was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// An object of that name exists and is not part of this project.
    NameTaken,
    /// The API server finds the child invalid or forbids it (quota, policy).
    Invalid,
    /// The API server accepted it, but something else changed it during the write or reverted it at once.
    Altered,
    /// No port of the range is free.
    PortsExhausted,
    /// The ports tried so far are not free, and others of the range are left.
    PortsTried,
    /// The port in the spec is in use or out of range.
    PortUnavailable,
}

impl RefusalReason {
    /// The project has no port for this reason. That blocks nothing else.
    #[must_use]
    pub fn is_of_port(self) -> bool {
        matches!(self, Self::PortsExhausted | Self::PortsTried | Self::PortUnavailable)
    }
}
