//! Mounts of Secrets in our pods. The operator itself reads no Secret.

use serde_json::{Value, json};

use crate::protocol::order::BuildSecret;

/// Volume and mount of the Secret `name`. Optional: if it is missing, our program reports it at once, while the kubelet
/// would wait until the deadline.
pub(crate) fn secret_mount(volume: &str, name: &str, directory: &str) -> (Value, Value) {
    let secret = json!({ "secretName": name, "optional": true, "defaultMode": 0o440 });
    (
        json!({ "name": volume, "secret": secret }),
        json!({ "name": volume, "mountPath": directory, "readOnly": true }),
    )
}

/// Volume and mount of single keys of Secrets, each as a file named by its id. Optional for the same reason.
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
