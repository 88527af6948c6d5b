//! Who owns an object. The operator never touches an object of another owner, even if it has one of our names
//! (docs/decisions/0038).

use kube::{Resource, ResourceExt as _};

use crate::desired::names;
use crate::project::Project;

/// Whether an object belongs to exactly this project: by its controller, by our label if it has none, or because a
/// deleted project of this name left it behind.
pub fn is_ours<K: Resource>(project: &Project, object: &K) -> bool {
    match object.owner_references().iter().find(|owner| owner.controller == Some(true)) {
        Some(owner) => owner.uid == project.uid,
        None => object.labels().get(names::UID) == Some(&project.uid) || is_orphan(project, object),
    }
}

/// Whether an object without owner is the child of an earlier project of this name: that project was deleted with
/// `--cascade=orphan`, or a backup was restored without owner references.
pub fn is_orphan<K: Resource>(project: &Project, object: &K) -> bool {
    let label = |key: &str| object.labels().get(key).map(String::as_str);
    object.owner_references().is_empty()
        && label(names::MANAGED_BY) == Some(names::MANAGER)
        && label(names::PROJECT) == Some(&project.name)
        && label(names::ROLE).is_some()
        && label(names::UID).is_some_and(|uid| uid != project.uid)
}
