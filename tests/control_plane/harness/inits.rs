//! Ends init commands in a cluster without nodes: the test writes the pod status in place of the kubelet.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{World, prebuilt};

/// A version with an init command.
pub(crate) fn migrating(n: u8) -> Value {
    let mut spec = prebuilt(n);
    spec["run"]["initCommand"] = json!({ "command": ["migrate", "--all"] });
    spec
}

impl World {
    /// Waits for the pod of an init command other than `but`.
    pub(crate) async fn init_pod(&self, but: &str) -> Pod {
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.name_any() != but
        };
        let pods = self
            .until_labelled::<Pod>("doce.dev/role=init", "an init command runs", |pods| pods.iter().any(runs))
            .await;
        pods.into_iter().find(|pod| runs(pod)).unwrap()
    }

    /// Ends its command with this exit code and this output.
    pub(crate) async fn end_init(&self, pod: &Pod, code: i32, said: &str) {
        let now = k8s_openapi::jiff::Timestamp::now();
        let reason = if code == 0 { "Completed" } else { "Error" };
        let ended = json!({ "exitCode": code, "reason": reason, "message": said, "startedAt": now, "finishedAt": now });
        let patch = json!({ "status": {
            "phase": if code == 0 { "Succeeded" } else { "Failed" },
            "containerStatuses": [{
                "name": "init", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": { "terminated": ended },
            }],
        }});
        let (api, params) = (self.api::<Pod>(), PatchParams::default());
        api.patch_status(&pod.name_any(), &params, &Patch::Strategic(patch)).await.unwrap();
    }

    /// Number of Jobs that run or ran an init command.
    pub(crate) async fn init_jobs(&self) -> usize {
        let jobs = self.until_list("Jobs can be listed", |_: &[Job]| true).await;
        jobs.iter().filter(|job| job.labels().get("doce.dev/role").is_some_and(|role| role == "init")).count()
    }
}
