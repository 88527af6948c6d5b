//! Children of a deleted project of the same name, and how long Kubernetes may take to delete them. Pure data.

use jiff::{SignedDuration, Timestamp};

/// A child of a deleted project of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Predecessor {
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Name of its resource, such as `deployments`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// When Kubernetes began to delete it.
    pub deleted_at: Option<Timestamp>,
    /// When it lost its project at the latest: its deletion, or the creation of the project that waits.
    pub since: Option<Timestamp>,
    /// What must be removed from it before it goes.
    pub finalizers: Vec<String>,
}

/// Finalizers that Kubernetes removes when what belongs to the object is gone. Its pods may take their time to end.
const OF_KUBERNETES: [&str; 2] = ["foregroundDeletion", "orphan"];

/// How long a deletion may take. Kubernetes needs a moment, and controllers with finalizers of their own seconds.
const USUAL: SignedDuration = SignedDuration::from_mins(2);
/// The same if it waits for pods: `spec.run.stop.graceSeconds` allows an hour, and pods of Jobs may follow.
const WITH_PODS: SignedDuration = SignedDuration::from_hours(2);

impl Predecessor {
    /// When it should be gone; `None` if that is not known.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let waits_for_pods = !self.finalizers.is_empty() && self.foreign_finalizers().next().is_none();
        let allowed = if waits_for_pods { WITH_PODS } else { USUAL };
        self.since?.checked_add(allowed).ok()
    }

    /// Finalizers that Kubernetes itself does not remove.
    pub fn foreign_finalizers(&self) -> impl Iterator<Item = &str> {
        self.finalizers.iter().map(String::as_str).filter(|finalizer| !OF_KUBERNETES.contains(finalizer))
    }
}
