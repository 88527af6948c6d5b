//! A Secret that a pod of ours mounts. Nobody else reads it.

use serde_json::{Value, json};

use crate::protocol::order::BuildSecret;

/// Volume and mount of the Secret `name`. Optional: the program itself says at once that it is missing, where the kubelet
/// would wait for the deadline.
pub(crate) fn secret_mount(volume: &str, name: &str, directory: &str) -> (Value, Value) {
    let secret = json!({ "secretName": name, "optional": true, "defaultMode": 0o440 });
    (
        json!({ "name": volume, "secret": secret }),
        json!({ "name": volume, "mountPath": directory, "readOnly": true }),
    )
}

/// Volume and mount of single keys of Secrets, each a file that is named as its id. Optional for the same reason.
pub(crate) fn keys_mount(volume: &str, secrets: &[BuildSecret], directory: &str) -> (Value, Value) {
    let sources: Vec<Value> = secrets
        .iter()
        .map(|BuildSecret { id, secret, key }| {
            let items = [json!({ "key": key, "path": id })];
            json!({ "secret": { "name": secret, "optional": true, "items": items } })
        })
        .collect();
    (
        json!({ "name": volume, "projected": { "sources": sources, "defaultMode": 0o440 } }),
        json!({ "name": volume, "mountPath": directory, "readOnly": true }),
    )
}
