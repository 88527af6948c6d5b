//! Ends image cleanups in a cluster without nodes: the test writes the pod phase of a cleanup Job in place of a
//! kubelet.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{World, commit};

/// Label selector of cleanup Jobs and their pods.
pub(crate) const CLEANUPS: &str = "doce.dev/role=cleanup";

/// A commit whose image goes to a registry of your own; two versions are kept.
pub(crate) fn outside(n: u8) -> Value {
    let mut spec = commit(n);
    let output = json!({ "repository": "r.example/you/shop", "pushSecretRef": { "name": "push" } });
    spec["build"] = json!({ "output": output });
    spec["history"] = json!({ "limit": 2 });
    spec
}

/// True if the Job has not started.
pub(crate) fn suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

impl World {
    /// Waits until there is exactly one cleanup Job and it meets the condition.
    pub(crate) async fn until_cleanup(&self, what: &str, is_so: impl Fn(&Job) -> bool) -> Job {
        let one = |all: &[Job]| all.len() == 1 && is_so(&all[0]);
        self.until_labelled::<Job>(CLEANUPS, what, one).await.remove(0)
    }

    /// Ends the pod of the running cleanup in phase `Succeeded` or `Failed`.
    pub(crate) async fn end_cleanup(&self, phase: &str) {
        let pods = self
            .until_labelled::<Pod>(CLEANUPS, "its pod runs", |pods| {
                pods.iter().any(|pod| {
                    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
                })
            })
            .await;
        let patch = Patch::Strategic(json!({ "status": { "phase": phase } }));
        let name = pods[0].name_any();
        self.api::<Pod>().patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    }
}
