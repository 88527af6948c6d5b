//! The build Job, created suspended: our binary, and BuildKit unless that runs in a builder pod. It mounts only the
//! Secrets that the source, the build and the platform's remote builder name. It has no token for the API server; a token of its namespace's `ServiceAccount` is
//! only for the embedded registry.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};

use super::placement::placed;
use super::secret_mount::{keys_mount, secret_mount, token_mount};
use super::{build_profile, job_env, meta, names};
use crate::platform::{Platform, PushLogin};
use crate::project::Project;
use crate::protocol::build_target::BuildTarget;
use crate::protocol::builder_key::{BUILDER_KEY_ENV, BuilderKey, NEEDS_BUILDER_PORT};
use crate::protocol::order::{
    BUILD_SECRETS_DIR, CONFIG_MAP_DIR, ORDER_ENV, Order, PUSH_SECRET_DIR, REMOTE_SECRET_DIR, SECRET_DIR,
};
use crate::protocol::report::EXIT_VERDICT;

/// Seconds that Kubernetes keeps a Job and its log after its end.
const KEPT_SECONDS: i32 = 3600;

/// The same for a poll, of which there may be one a minute.
const KEPT_POLL_SECONDS: i32 = 300;

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequest<'a> {
    /// A build key or a lookup.
    pub of: &'a BuildTarget,
    /// Number of the attempt.
    pub attempt: u32,
    /// Digest of the source, if known.
    pub digest: Option<&'a str>,
    /// Why it is built, for people.
    pub reason: &'a str,
    /// Key for the builder pod, with the profile isolated.
    pub builder_key: Option<BuilderKey>,
}

/// The Job.
pub fn create(
    project: &Project,
    platform: &Platform,
    request: &BuildRequest<'_>,
) -> Result<Job, serde_json::Error> {
    let name = names::job(project, request.of, request.attempt);
    let mut metadata = meta::dressed(project, &name, names::ROLE_BUILD, BTreeMap::new());
    metadata.annotations.get_or_insert_default().extend([
        (names::BUILD_OF.to_owned(), names::build_of(request.of)),
        (names::ATTEMPT.to_owned(), request.attempt.to_string()),
        (names::BUILD_REASON.to_owned(), request.reason.to_owned()),
    ]);
    serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "suspend": true,
            "backoffLimit": 0,
            "activeDeadlineSeconds": project.build_timeout,
            "ttlSecondsAfterFinished": if request.reason == names::POLLED { KEPT_POLL_SECONDS } else { KEPT_SECONDS },
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": { "rules": [
                { "action": "FailJob", "onExitCodes": { "containerName": names::BUILD, "operator": "In", "values": [EXIT_VERDICT] } },
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
            ]},
            "template": {
                "metadata": { "labels": labels(project, platform) },
                "spec": pod(project, platform, request),
            },
        },
    }))
}

fn pod(project: &Project, platform: &Platform, request: &BuildRequest<'_>) -> Value {
    let mut volumes =
        vec![json!({ "name": "doce", "emptyDir": {} }), json!({ "name": "workspace", "emptyDir": {} })];
    let mut mounts = vec![
        json!({ "name": "doce", "mountPath": "/doce", "readOnly": true }),
        json!({ "name": "workspace", "mountPath": "/workspace" }),
    ];
    if let Some(directory) = build_profile::state_directory(platform.profile) {
        volumes.push(json!({ "name": "buildkit", "emptyDir": {} }));
        mounts.push(json!({ "name": "buildkit", "mountPath": directory }));
    }
    if let Some(map) = &project.source.config_map {
        volumes.push(json!({ "name": "source", "configMap": { "name": map.name } }));
        mounts.push(json!({ "name": "source", "mountPath": CONFIG_MAP_DIR, "readOnly": true }));
    }
    let remote = platform.remote.as_ref().and_then(|remote| remote.secret.as_deref());
    let secrets = [
        ("source-secret", project.source.secret(), SECRET_DIR),
        ("push-secret", project.push_secret.as_deref(), PUSH_SECRET_DIR),
        ("buildkit-secret", remote, REMOTE_SECRET_DIR),
    ];
    for (volume, name, directory) in secrets {
        let Some(name) = name else { continue };
        let (volume, mount) = secret_mount(volume, name, directory);
        volumes.push(volume);
        mounts.push(mount);
    }
    if platform.push_login == PushLogin::Token {
        let (volume, mount) = token_mount(project.build_timeout);
        volumes.push(volume);
        mounts.push(mount);
    }
    if !project.build_secrets.is_empty() {
        let (volume, mount) = keys_mount("build-secrets", &project.build_secrets, BUILD_SECRETS_DIR);
        volumes.push(volume);
        mounts.push(mount);
    }
    let resources = match request.builder_key {
        Some(_) => platform.build_pods.client_resources(),
        None => platform.build_pods.resources(project.build_resources.as_ref()),
    };
    let spec = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 10,
        "hostUsers": build_profile::host_users(platform.profile),
        "securityContext": { "fsGroup": 1000 },
        "volumes": volumes,
        "initContainers": [install(platform, &resources)],
        "containers": [build(platform, project, request, &mounts, &resources)],
    });
    placed(platform, spec)
}

/// The platform's labels, plus ours, which identify the project.
fn labels(project: &Project, platform: &Platform) -> BTreeMap<String, String> {
    let mut labels = project.copied.labels.clone();
    labels.extend(platform.build_pods.labels.clone());
    labels.extend(meta::labels(project, names::ROLE_BUILD));
    labels
}

/// Init container that copies our static binary into the pod, so that build pods use the unmodified upstream image. It
/// requests the resources of the build, which runs after it: that costs nothing, and quotas require them on every
/// container.
pub(super) fn install(platform: &Platform, resources: &ResourceRequirements) -> Value {
    json!({
        "name": "install",
        "image": platform.operator_image,
        "args": ["install", "/doce/doce-operator"],
        "volumeMounts": [{ "name": "doce", "mountPath": "/doce" }],
        "resources": resources,
        "securityContext": build_profile::restricted(),
    })
}

fn build(
    platform: &Platform,
    project: &Project,
    request: &BuildRequest<'_>,
    mounts: &[Value],
    resources: &ResourceRequirements,
) -> Value {
    let order = order(project, platform, request);
    let mut env = vec![json!({ "name": ORDER_ENV, "value": json!(order).to_string() })];
    if let Some(key) = &request.builder_key {
        env.push(json!({ "name": BUILDER_KEY_ENV, "value": key.text() }));
    }
    env.extend(job_env::outside(platform));
    if build_profile::state_directory(platform.profile).is_none() {
        // The root file system is read-only.
        env.push(json!({ "name": "TMPDIR", "value": "/workspace" }));
    }
    json!({
        "name": names::BUILD,
        "image": platform.buildkit_image,
        "command": ["/doce/doce-operator", "build"],
        "env": env,
        "volumeMounts": mounts,
        "resources": resources,
        "readinessProbe": needs_builder(request),
        "terminationMessagePolicy": "File",
        "securityContext": build_profile::security_context(platform.profile),
    })
}

/// Most polls find nothing new. So the pod of a poll gets a builder pod only when it needs one, and then it is ready.
fn needs_builder(request: &BuildRequest<'_>) -> Option<Value> {
    (request.builder_key.is_some() && request.reason == names::POLLED)
        .then(|| json!({ "tcpSocket": { "port": NEEDS_BUILDER_PORT }, "periodSeconds": 1 }))
}

fn order(project: &Project, platform: &Platform, request: &BuildRequest<'_>) -> Order {
    let repository = platform.pushed_to(project);
    Order {
        source: project.order_source(request.digest),
        settings: project.settings.clone(),
        insecure: platform.is_insecure(&repository),
        cleans: project.cleans,
        rebuilds: [names::IMAGE_LOST, names::REBUILT_AHEAD].contains(&request.reason),
        repository,
        mirror: platform.mirror.clone(),
        public_source: platform.public_sources,
        secret: project.source.secret().map(str::to_owned),
        profile: platform.profile,
        builder: platform
            .isolated
            .as_ref()
            .zip(request.builder_key)
            .map(|(isolated, key)| isolated.address(&key)),
        remote: platform.remote.as_ref().map(|remote| remote.seen_from(&project.namespace)),
        push_secret: project.push_secret.clone(),
        token_registry: platform.token_registry(),
        token_registry_insecure: platform.token_registry().is_some() && platform.push_insecure,
        build_secrets: project.build_secrets.clone(),
        deadline_seconds: u64::try_from(project.build_timeout).unwrap_or(1800),
    }
}
