//! The build Job: rootless BuildKit with our binary in it, created suspended. It holds no token, and of Secrets only those
//! that the source and the output name, as mounts.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::{Platform, meta, names};
use crate::build::order::{CA_BUNDLE_ENV, CONFIG_MAP_DIR, Order, PUSH_SECRET_DIR, SECRET_DIR};
use crate::build::report::EXIT_VERDICT;
use crate::project::Project;
use crate::reconcile::world::BuildOf;

/// Seconds that a Job and its log stay after its end.
const KEPT_SECONDS: i32 = 3600;

/// What is to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// A key, or a lookup.
    pub of: &'a BuildOf,
    /// Which attempt.
    pub attempt: u32,
    /// Digest of the source, where it is known.
    pub digest: Option<&'a str>,
    /// Why, for a person.
    pub reason: &'a str,
}

/// The Job.
pub fn create(project: &Project, platform: &Platform, wish: &Wish<'_>) -> Result<Job, serde_json::Error> {
    let mut metadata = meta::child(project, &names::job(project, wish.of, wish.attempt), names::ROLE_BUILD);
    metadata.annotations = Some(BTreeMap::from([
        (names::BUILD_OF.to_owned(), names::build_of(wish.of)),
        (names::ATTEMPT.to_owned(), wish.attempt.to_string()),
        (names::BUILD_REASON.to_owned(), wish.reason.to_owned()),
    ]));
    serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "suspend": true,
            "backoffLimit": 0,
            "activeDeadlineSeconds": project.build_timeout,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": { "rules": [
                { "action": "FailJob", "onExitCodes": { "containerName": names::BUILD, "operator": "In", "values": [EXIT_VERDICT] } },
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
            ]},
            "template": {
                "metadata": { "labels": meta::labels(project, names::ROLE_BUILD) },
                "spec": pod(project, platform, wish),
            },
        },
    }))
}

fn pod(project: &Project, platform: &Platform, wish: &Wish<'_>) -> Value {
    let mut volumes = vec![
        json!({ "name": "doce", "emptyDir": {} }),
        json!({ "name": "workspace", "emptyDir": {} }),
        json!({ "name": "buildkit", "emptyDir": {} }),
    ];
    let mut mounts = vec![
        json!({ "name": "doce", "mountPath": "/doce", "readOnly": true }),
        json!({ "name": "workspace", "mountPath": "/workspace" }),
        json!({ "name": "buildkit", "mountPath": "/home/user/.local/share/buildkit" }),
    ];
    if let Some(map) = &project.source.config_map {
        volumes.push(json!({ "name": "source", "configMap": { "name": map.name } }));
        mounts.push(json!({ "name": "source", "mountPath": CONFIG_MAP_DIR, "readOnly": true }));
    }
    let secrets = [
        ("source-secret", project.source.secret(), SECRET_DIR),
        ("push-secret", project.push_secret.as_deref(), PUSH_SECRET_DIR),
    ];
    for (volume, name, directory) in secrets {
        let Some(name) = name else { continue };
        // Optional: the build itself says at once that it is missing, where the kubelet would wait for the deadline.
        let secret = json!({ "secretName": name, "optional": true, "defaultMode": 0o440 });
        volumes.push(json!({ "name": volume, "secret": secret }));
        mounts.push(json!({ "name": volume, "mountPath": directory, "readOnly": true }));
    }
    json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 10,
        "securityContext": { "fsGroup": 1000 },
        "volumes": volumes,
        "initContainers": [install(platform)],
        "containers": [build(platform, &order(project, platform, wish), &mounts)],
    })
}

/// Our static binary is copied in, so that the image of the build pods is upstream's own.
fn install(platform: &Platform) -> Value {
    json!({
        "name": "install",
        "image": platform.operator_image,
        "args": ["install", "/doce/doce-operator"],
        "volumeMounts": [{ "name": "doce", "mountPath": "/doce" }],
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    })
}

/// BuildKit makes user namespaces and mounts in them: seccomp and `AppArmor` must let it (moby/buildkit, docs/rootless.md).
fn build(platform: &Platform, order: &Order, mounts: &[Value]) -> Value {
    let mut env = vec![json!({ "name": "DOCE_ORDER", "value": json!(order).to_string() })];
    if !platform.ca_bundle.is_empty() {
        env.push(json!({ "name": CA_BUNDLE_ENV, "value": platform.ca_bundle }));
    }
    json!({
        "name": names::BUILD,
        "image": platform.buildkit_image,
        "command": ["/doce/doce-operator", "build"],
        "env": env,
        "volumeMounts": mounts,
        "resources": { "requests": { "cpu": "100m", "memory": "256Mi" } },
        "terminationMessagePolicy": "File",
        "securityContext": {
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": { "type": "Unconfined" },
            "appArmorProfile": { "type": "Unconfined" },
        },
    })
}

fn order(project: &Project, platform: &Platform, wish: &Wish<'_>) -> Order {
    let repository = names::repository(&platform.push_registry, project);
    let host = |place: &str| place.split('/').next().map(str::to_owned);
    Order {
        source: project.order_source(wish.digest),
        settings: project.settings.clone(),
        insecure: platform.push_insecure && host(&repository) == host(&platform.push_registry),
        repository,
        mirror: platform.mirror.clone(),
        secret: project.source.secret().map(str::to_owned),
        push_secret: project.push_secret.clone(),
        deadline_seconds: u64::try_from(project.build_timeout).unwrap_or(1800),
    }
}
