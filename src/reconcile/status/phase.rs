//! The phase of a project, and whether the status must be written at once.

use crate::crd::ProjectDeploymentStatus;
use crate::crd::conditions::Reason;
use crate::crd::status::Phase;

/// The status reports only routine progress, and nothing that a person must know at once.
#[must_use]
pub fn is_routine_progress(status: &ProjectDeploymentStatus) -> bool {
    let usual = [
        Reason::Queued,
        Reason::Resolving,
        Reason::Building,
        Reason::Starting,
        Reason::Restarting,
        Reason::Scaling,
        Reason::Stopping,
    ];
    let reason = status.condition("Ready").map(|ready| ready.reason.as_str());
    status.failure.is_none() && usual.iter().any(|usual| Some(usual.name()) == reason)
}

/// The phase. Only people read it.
pub(super) fn phase(reason: Reason, stalled: bool) -> Phase {
    match reason {
        Reason::ImageLost if stalled => Phase::Failed,
        Reason::Stopped | Reason::Stopping => Phase::Stopped,
        Reason::Queued | Reason::Unseen | Reason::Predecessor => Phase::Queued,
        Reason::Resolving | Reason::Building | Reason::ImageLost | Reason::Unschedulable => Phase::Building,
        Reason::Starting | Reason::Restarting => Phase::Starting,
        Reason::Serving | Reason::Held | Reason::Pinned | Reason::Scaling => Phase::Running,
        _ => Phase::Failed,
    }
}
