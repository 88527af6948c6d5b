//! The Job of a builder pod: BuildKit for one build, in the namespace of builds. It has no Secret, no token and nothing
//! of the project's but the key of the connection (docs/decisions/0062).

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::placement::placed;
use super::{build_profile, job_env, names};
use crate::crd::spec::BuildResources;
use crate::platform::{Isolated, Platform};
use crate::protocol::builder_key::{
    BUILDER_KEY_ENV, BUILDER_PORT, BUILDER_SETTINGS_ENV, BuilderKey, BuilderSettings,
};
use crate::protocol::order::Profile;

/// Seconds that Kubernetes keeps the Job after its end.
const KEPT_SECONDS: i32 = 300;

/// How often the Job starts another builder pod, for a build pod that replaces one that was evicted.
const RETRIES: i32 = 3;

/// The key in the pod of a build Job; `None` if it needs no builder pod.
#[must_use]
pub fn key(build: &Job) -> Option<BuilderKey> {
    BuilderKey::parse(job_env::told(build, BUILDER_KEY_ENV)?)
}

/// The Job of the builder pod for this build Job. `wish` is what the project asks for. It is not read from the build Job,
/// which users of its namespace may change.
pub fn create(
    build: &Job,
    key: &BuilderKey,
    wish: Option<&BuildResources>,
    platform: &Platform,
    isolated: &Isolated,
) -> Result<Job, serde_json::Error> {
    let allowed = wish.filter(|wish| platform.build_pods.refusal(Some(wish)).is_none());
    let resources = platform.build_pods.resources(allowed);
    let name = key.name();
    let labels = labels(build, platform);
    let annotations = json!({ names::BUILD_JOB: build.name_any() });
    serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "namespace": isolated.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": deadline(build, platform),
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": { "labels": labels, "annotations": annotations },
                "spec": pod(&name, key, &resources, platform, isolated),
            },
        },
    }))
}

/// The deadline of the build, up to the platform's maximum.
fn deadline(build: &Job, platform: &Platform) -> i64 {
    let most = platform.build_pods.max_timeout_seconds;
    build
        .spec
        .as_ref()
        .and_then(|spec| spec.active_deadline_seconds)
        .map_or(most, |seconds| seconds.min(most))
}

/// The platform's labels, plus ours. None identifies a project: the pod is no child of one.
fn labels(build: &Job, platform: &Platform) -> BTreeMap<String, String> {
    let mut labels = platform.build_pods.labels.clone();
    let own = [
        (names::MANAGED_BY, names::MANAGER.to_owned()),
        (names::ROLE, names::ROLE_BUILDER.to_owned()),
        (names::BUILD_NAMESPACE, build.namespace().unwrap_or_default()),
        (names::BUILD_UID, build.uid().unwrap_or_default()),
    ];
    labels.extend(own.map(|(name, value)| (name.to_owned(), value)));
    labels
}

fn pod(
    name: &str,
    key: &BuilderKey,
    resources: &ResourceRequirements,
    platform: &Platform,
    isolated: &Isolated,
) -> Value {
    let mut mounts = vec![
        json!({ "name": "doce", "mountPath": "/doce", "readOnly": true }),
        json!({ "name": "workspace", "mountPath": "/workspace" }),
    ];
    let state = build_profile::state_directory(Profile::Rootless);
    mounts.extend(state.map(|directory| json!({ "name": "buildkit", "mountPath": directory })));
    let settings =
        BuilderSettings { plain_registries: platform.plain_registries(), mirror: platform.mirror.clone() };
    let mut env = vec![
        json!({ "name": BUILDER_KEY_ENV, "value": key.text() }),
        json!({ "name": BUILDER_SETTINGS_ENV, "value": json!(settings).to_string() }),
    ];
    env.extend(job_env::outside(platform));
    let spec = json!({
        "hostname": name,
        "subdomain": isolated.service,
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 5,
        "securityContext": { "fsGroup": 1000 },
        "volumes": [
            { "name": "doce", "emptyDir": {} },
            { "name": "workspace", "emptyDir": {} },
            { "name": "buildkit", "emptyDir": {} },
        ],
        "initContainers": [super::build_job::install(platform, resources)],
        "containers": [{
            "name": names::BUILDER,
            "image": platform.buildkit_image,
            "command": ["/doce/doce-operator", "builder"],
            "env": env,
            "ports": [{ "name": "buildkit", "containerPort": BUILDER_PORT }],
            "volumeMounts": mounts,
            "resources": resources,
            "securityContext": build_profile::security_context(Profile::Rootless),
        }],
    });
    placed(platform, spec)
}
