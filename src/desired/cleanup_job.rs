//! The Job that deletes an image which no record names any more from a registry outside the platform's: our own image, no
//! token, no user of the node, and of Secrets only the one that images are pushed with. It is created suspended and
//! started once the record is gone and nobody builds in the repository.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::secret_mount::secret_mount;
use super::{Platform, build_profile, meta, names};
use crate::build::order::cleanup::{CLEANUP_ENV, CleanupOrder};
use crate::build::order::{CA_BUNDLE_ENV, PUSH_SECRET_DIR};
use crate::project::Project;
use crate::record::Record;

/// Seconds that it may take: builds of the repository wait meanwhile.
pub const DEADLINE_SECONDS: i64 = 120;

/// Seconds that the Job and its log stay after its end.
const KEPT_SECONDS: i32 = 3600;

/// The Job for the image of `record`.
pub fn create(
    project: &Project,
    platform: &Platform,
    record: &Record,
    order: &CleanupOrder,
) -> Result<Job, serde_json::Error> {
    let mut metadata = meta::child(project, &names::cleanup(project, record), names::ROLE_CLEANUP);
    let version = record.facts.version.clone();
    metadata.annotations = Some(BTreeMap::from([(names::CLEANUP_OF.to_owned(), version)]));
    let mut labels = platform.build_pods.labels.clone();
    labels.extend(meta::labels(project, names::ROLE_CLEANUP));
    serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "suspend": true,
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            // It has ended when its pod has: then builds of the repository start.
            "podReplacementPolicy": "Failed",
            "template": { "metadata": { "labels": labels }, "spec": pod(platform, order) },
        },
    }))
}

/// What the Job is told; none where the image is not one that a build left in this repository.
#[must_use]
pub fn order(project: &Project, platform: &Platform, record: &Record) -> Option<CleanupOrder> {
    let repository = platform.outside(project)?;
    let key = record.facts.key.clone()?;
    let (named, digest) = record.image.as_ref()?.reference.split_once('@')?;
    (named == repository).then(|| CleanupOrder {
        repository: repository.to_owned(),
        insecure: platform.is_insecure(repository),
        digest: digest.to_owned(),
        key,
        push_secret: project.push_secret.clone(),
    })
}

fn pod(platform: &Platform, order: &CleanupOrder) -> Value {
    let mut env = vec![json!({ "name": CLEANUP_ENV, "value": json!(order).to_string() })];
    if !platform.ca_bundle.is_empty() {
        env.push(json!({ "name": CA_BUNDLE_ENV, "value": platform.ca_bundle }));
    }
    let mounted = |name: &String| secret_mount("push-secret", name, PUSH_SECRET_DIR);
    let (volumes, mounts): (Vec<Value>, Vec<Value>) = order.push_secret.iter().map(mounted).unzip();
    json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 5,
        "securityContext": { "fsGroup": 1000 },
        "volumes": volumes,
        "nodeSelector": platform.build_pods.node_selector,
        "tolerations": platform.build_pods.tolerations,
        "containers": [{
            "name": names::CLEANUP,
            "image": platform.operator_image,
            "args": ["cleanup"],
            "env": env,
            "volumeMounts": mounts,
            "resources": {
                "requests": { "cpu": "10m", "memory": "32Mi" },
                "limits": { "cpu": "500m", "memory": "64Mi" },
            },
            "securityContext": build_profile::restricted(),
        }],
    })
}
