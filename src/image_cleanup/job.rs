//! The Job that deletes, from a registry of your own, an image that no record names any more. It runs our own image,
//! has no token and no user of the node, and mounts only the push Secret. It is created suspended and starts once the
//! record is gone and no build uses the repository.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::desired::job_env::{self, told};
use crate::desired::placement::placed;
use crate::desired::secret_mount::secret_mount;
use crate::desired::{build_profile, meta, names};
use crate::memory::record::Record;
use crate::platform::Platform;
use crate::project::Project;
use crate::protocol::order::PUSH_SECRET_DIR;
use crate::protocol::order::cleanup::{CLEANUP_ENV, CleanupOrder};

/// Seconds that it may take. Builds of the repository wait meanwhile.
pub const DEADLINE_SECONDS: i64 = 120;

/// Seconds that Kubernetes keeps the Job and its log after its end.
const KEPT_SECONDS: i32 = 3600;

/// Most Jobs, one after the other, for one image. Their pauses cover a registry that is down for two and a half hours.
pub const MOST_ATTEMPTS: u32 = 5;

/// One attempt to delete one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the Job.
    pub name: String,
    /// Version of the image.
    pub version: String,
    /// Number of the attempt, from 1.
    pub number: u32,
}

/// The attempt number of a Job, from 1.
#[must_use]
pub fn attempt(job: &Job) -> u32 {
    let number = job.annotations().get(names::ATTEMPT).and_then(|number| number.parse().ok());
    number.unwrap_or(1).clamp(1, MOST_ATTEMPTS)
}

/// Seconds that an attempt waits before it starts: 0 for the first, then a minute, then five times as long each time.
#[must_use]
pub fn pause_seconds(attempt: u32) -> i64 {
    attempt.checked_sub(2).map_or(0, |before| 60 * 5_i64.saturating_pow(before))
}

/// The attempt after one that failed; `None` if that was the last, or is not a cleanup.
#[must_use]
pub fn next(project: &Project, failed: &Job) -> Option<Attempt> {
    let number = attempt(failed) + 1;
    let version = failed.annotations().get(names::CLEANUP_OF)?.clone();
    let name = names::cleanup_again(project, &failed.name_any());
    (number <= MOST_ATTEMPTS).then_some(Attempt { name, version, number })
}

/// The Job.
pub fn create(
    project: &Project,
    platform: &Platform,
    attempt: &Attempt,
    order: &CleanupOrder,
) -> Result<Job, serde_json::Error> {
    let mut metadata = meta::child(project, &attempt.name, names::ROLE_CLEANUP);
    let annotations =
        [(names::CLEANUP_OF, attempt.version.clone()), (names::ATTEMPT, attempt.number.to_string())];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value));
    metadata.annotations = Some(BTreeMap::from(annotations));
    let mut labels = platform.build_pods.labels.clone();
    labels.extend(meta::labels(project, names::ROLE_CLEANUP));
    serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "suspend": true,
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            // The Job must not end before its pod: builds of the repository start then.
            "podReplacementPolicy": "Failed",
            "template": { "metadata": { "labels": labels }, "spec": pod(platform, order) },
        },
    }))
}

/// The order of the Job; `None` if no build left the image in this repository.
#[must_use]
pub fn order(project: &Project, platform: &Platform, record: &Record) -> Option<CleanupOrder> {
    let repository = platform.outside(project)?;
    let key = record.facts.key.clone()?;
    let (named, digest) = record.named_image()?.reference.split_once('@')?;
    (named == repository).then(|| CleanupOrder {
        repository: repository.to_owned(),
        insecure: platform.is_insecure(repository),
        digest: digest.to_owned(),
        key,
        push_secret: project.push_secret.clone(),
    })
}

/// Parses the order of a cleanup Job; `None` if it cannot be read.
#[must_use]
pub fn order_of(job: &Job) -> Option<CleanupOrder> {
    serde_json::from_str(told(job, CLEANUP_ENV)?).ok()
}

/// The order of the attempt after `failed`: the same, as long as the project still names that repository and its
/// Secret.
#[must_use]
pub fn order_again(project: &Project, platform: &Platform, failed: &Job) -> Option<CleanupOrder> {
    let told = order_of(failed).filter(|_| project.cleans && next(project, failed).is_some())?;
    let same = platform.outside(project) == Some(told.repository.as_str());
    (same && told.push_secret == project.push_secret)
        .then(|| CleanupOrder { insecure: platform.is_insecure(&told.repository), ..told })
}

fn pod(platform: &Platform, order: &CleanupOrder) -> Value {
    let mut env = vec![json!({ "name": CLEANUP_ENV, "value": json!(order).to_string() })];
    env.extend(job_env::outside(platform));
    let mounted = |name: &String| secret_mount("push-secret", name, PUSH_SECRET_DIR);
    let (volumes, mounts): (Vec<Value>, Vec<Value>) = order.push_secret.iter().map(mounted).unzip();
    let spec = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 5,
        "securityContext": { "fsGroup": 1000 },
        "volumes": volumes,
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
    });
    placed(platform, spec)
}
