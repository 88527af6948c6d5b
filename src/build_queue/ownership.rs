//! Which Jobs count. Anyone who may create Jobs can set the watched label on one, so a label alone must not block
//! others: a Job must belong to an existing project. Pure.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::desired::names;

/// The Jobs that belong to an existing project (`lives`, by namespace and uid) in their own namespace. Only these wait,
/// run and make a repository busy.
pub fn owned(mut jobs: Vec<Arc<Job>>, lives: impl Fn(&str, &str) -> bool) -> Vec<Arc<Job>> {
    jobs.retain(|job| {
        let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
        owner(job).is_some_and(|uid| lives(namespace, uid))
    });
    jobs
}

/// Uid of the controller. If it was removed, which the operator repairs, the uid in the label.
fn owner(job: &Job) -> Option<&str> {
    match job.owner_references().iter().find(|owner| owner.controller == Some(true)) {
        Some(owner) => Some(&owner.uid),
        None => job.labels().get(names::UID).map(String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Whether a Job counts if only the project `u` in namespace `n` exists.
    fn counts(namespace: &str, owners: &Value, labels: &Value, deleted: bool) -> bool {
        let deleted = deleted.then_some("2026-01-01T00:00:00Z");
        let metadata = json!({
            "name": "j", "namespace": namespace, "ownerReferences": owners, "labels": labels,
            "deletionTimestamp": deleted,
        });
        let job = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        let lives = |namespace: &str, uid: &str| (namespace, uid) == ("n", "u");
        !owned(vec![Arc::new(job)], lives).is_empty()
    }

    fn owner(uid: &str, controller: bool) -> Value {
        json!([{ "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "name": "shop", "uid": uid,
            "controller": controller }])
    }

    #[test]
    fn a_job_of_an_existing_project_counts_until_it_is_gone() {
        let label = json!({ "doce.dev/uid": "u" });
        assert!(counts("n", &owner("u", true), &label, false));
        assert!(counts("n", &owner("u", true), &label, true), "its pods may still run");
        assert!(counts("n", &owner("u", true), &json!({}), false), "its labels were stripped");
        assert!(counts("n", &json!([]), &label, false), "its owner was stripped");
    }

    #[test]
    fn a_job_without_an_owning_project_in_its_namespace_does_not_count() {
        let project = json!({ "doce.dev/project": "shop" });
        let label = json!({ "doce.dev/project": "shop", "doce.dev/uid": "u" });
        assert!(!counts("n", &json!([]), &project, false), "it has no owner");
        assert!(!counts("n", &owner("gone", true), &label, false), "its owner decides, not its label");
        assert!(!counts("n", &owner("u", false), &project, false), "that owner is not its controller");
        assert!(!counts("elsewhere", &owner("u", true), &label, false));
        assert!(!counts("elsewhere", &json!([]), &label, false));
    }
}
