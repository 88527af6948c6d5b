//! `run.volumes` as pod volumes and mounts. None of them can reach the node.

use serde_json::{Value, json};

use crate::crd::volumes::Volume;

/// Volumes of the pod.
pub(super) fn volumes(volumes: &[Volume]) -> Vec<Value> {
    volumes.iter().map(volume).collect()
}

fn volume(volume: &Volume) -> Value {
    let name = &volume.name;
    let Volume { persistent_volume_claim, secret, config_map, .. } = volume;
    match (persistent_volume_claim, secret, config_map) {
        (Some(claim), _, _) => {
            json!({ "name": name, "persistentVolumeClaim": { "claimName": claim.name } })
        }
        (_, Some(secret), _) => json!({ "name": name, "secret": { "secretName": secret.name } }),
        (_, _, Some(map)) => json!({ "name": name, "configMap": { "name": map.name } }),
        _ => json!({ "name": name, "emptyDir": {} }), // CEL rules exclude this.
    }
}

/// Volume mounts of the app's container.
pub(super) fn mounts(volumes: &[Volume]) -> Vec<Value> {
    let mount = |volume: &Volume| {
        let read_only = volume.read_only.unwrap_or(volume.persistent_volume_claim.is_none());
        json!({
            "name": volume.name, "mountPath": volume.mount_path, "subPath": volume.sub_path, "readOnly": read_only,
        })
    };
    volumes.iter().map(mount).collect()
}

/// The group for files of a claim, so that a user who is not root can write there; `None` without a claim or such a
/// user.
pub(super) fn group(template: &Value) -> Option<Value> {
    let volumes = template["spec"]["volumes"].as_array()?;
    let claims = volumes.iter().any(|volume| !volume["persistentVolumeClaim"].is_null());
    let user = &template["spec"]["securityContext"]["runAsUser"];
    (claims && user.is_i64()).then(|| user.clone())
}
