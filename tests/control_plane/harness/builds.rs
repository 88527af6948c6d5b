//! Ends builds in a cluster without nodes: the test writes the pod status of a build Job in place of the kubelet.

use doce_operator::protocol::order::{Order, Reference, Source};
use doce_operator::protocol::report::{
    Built as Report, EXIT_FAULT, EXIT_VERDICT, Failed, Report as Outcome, Stage,
};
use doce_operator::version::{build_key, text_digest};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::World;

/// The image that a build reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    /// Commit of the branch, for a lookup.
    pub commit: Option<String>,
    /// The image differs from that of an earlier build of the same source with the same settings.
    pub differs: bool,
}

/// A build that fails at this stage with this reason and message.
pub(crate) fn failed(stage: Stage, reason: &str, message: &str) -> Failed {
    Failed {
        stage,
        reason: reason.to_owned(),
        message: message.to_owned(),
        log: String::new(),
        key: None,
        source: None,
        subject: None,
        author: None,
        committed_at: None,
        log_reference: None,
    }
}

impl World {
    /// Waits for a running build Job with a pod.
    pub(crate) async fn running_build(&self) -> (Job, Pod) {
        loop {
            let found = self
                .until_labelled::<Pod>("doce.dev/role=build", "a build Job has a running pod", |pods| {
                    pods.iter().any(is_running)
                })
                .await;
            for pod in found.into_iter().filter(is_running) {
                let owner = pod.owner_references().iter().find(|owner| owner.kind == "Job").cloned().unwrap();
                let job = self.api::<Job>().get_opt(&owner.name).await.unwrap();
                // A leftover pod of a deleted Job with the same name is about to disappear.
                if let Some(job) = job.filter(|job| job.uid().as_ref() == Some(&owner.uid)) {
                    return (job, pod);
                }
            }
        }
    }

    /// Ends the running build with an image. Returns the name of its Job.
    pub(crate) async fn finish_build(&self, built: Built) -> String {
        self.finish_build_as(built, 1000).await
    }

    /// The same, with an image that runs as this user.
    pub(crate) async fn finish_build_as(&self, built: Built, uid: i64) -> String {
        let (job, pod) = self.running_build().await;
        let (order, again, differs) = (order(&job), built.clone(), built.differs);
        let source = match (&order.source, built.commit) {
            (_, Some(commit)) => commit,
            (Source::Git { reference: Reference::Commit(commit), .. }, None) => commit.clone(),
            (Source::ConfigMap { digest }, None) => digest.clone(),
            (source, None) => text_digest(&format!("{source:?}"))[..40].to_owned(),
        };
        let prebuilt = matches!(order.source, Source::Image { .. });
        let key = build_key(&source, &order.settings);
        let digest = if differs { text_digest(&job.name_any()) } else { text_digest(&key) };
        let digest = format!("sha256:{digest}");
        let report = Report {
            source: if prebuilt { digest.clone() } else { source },
            key: if prebuilt { String::new() } else { key },
            digest,
            message: Some("A change".to_owned()),
            author: Some("Ann <ann@example.org>".to_owned()),
            uid: Some(uid),
            platform: "linux/amd64".to_owned(),
            log_reference: (!prebuilt).then(|| format!("{}:log-1", order.repository)),
            ..Report::default()
        };
        if self.end(&pod, &Outcome::Built(report), 0).await {
            return job.name_any();
        }
        Box::pin(self.finish_build_as(again, uid)).await
    }

    /// Ends the running build with a failure. Returns the name of its Job.
    pub(crate) async fn fail_build(&self, failed: Failed) -> String {
        let (job, pod) = self.running_build().await;
        let code = if failed.is_verdict() { EXIT_VERDICT } else { EXIT_FAULT };
        if self.end(&pod, &Outcome::Failed(failed.clone()), code).await {
            return job.name_any();
        }
        Box::pin(self.fail_build(failed)).await
    }

    /// Writes the end of a pod. Returns false if the pod was already being deleted, so that its end does not count.
    async fn end(&self, pod: &Pod, report: &Outcome, code: i32) -> bool {
        let ended = json!({
            "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
            "message": serde_json::to_string(report).unwrap(),
            "startedAt": k8s_openapi::jiff::Timestamp::now(), "finishedAt": k8s_openapi::jiff::Timestamp::now(),
        });
        let patch = json!({ "status": {
            "phase": if code == 0 { "Succeeded" } else { "Failed" },
            "containerStatuses": [{
                "name": "build", "image": "buildkit.test/rootless:1", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": ended },
            }],
        }});
        let written = self
            .api::<Pod>()
            .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch))
            .await;
        match written {
            Ok(pod) => pod.metadata.deletion_timestamp.is_none(),
            Err(kube::Error::Api(status)) if status.code == 404 => false,
            Err(error) => panic!("cannot end the pod {}: {error}", pod.name_any()),
        }
    }
}

fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}

/// The order that the Job passes to its pod.
pub(crate) fn order(job: &Job) -> Order {
    let pod = job.spec.clone().unwrap().template.spec.unwrap();
    let env = pod.containers[0].env.clone().unwrap();
    let text = env.into_iter().find(|variable| variable.name == "DOCE_ORDER").unwrap().value.unwrap();
    serde_json::from_str(&text).unwrap()
}
