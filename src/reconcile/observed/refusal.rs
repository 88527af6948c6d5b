//! Writes that the API server did not take, as far as a person must know of them. Pure data.

/// A write that was refused for a reason that a person must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be written.
    pub child: Child,
    /// Why it was refused.
    pub cause: RefusalReason,
    /// The sentence for a person.
    pub message: String,
}

/// Kinds of children, as far as a refusal stops one and not the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// The ledger, or the image in a record: without it nothing that happens can be remembered.
    Memory,
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
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// An object of that name belongs to somebody else.
    NameTaken,
    /// The API server finds the child invalid or forbids it (quota, policy).
    Invalid,
    /// It was taken, and something else changed it in doing so or undid it at once.
    Altered,
    /// No port of the range was free.
    PortsExhausted,
    /// The port that the spec asks for is taken or out of range.
    PortUnavailable,
}
