//! Mounts of Secrets and tokens in our pods. The operator itself reads no Secret.

use serde_json::{Value, json};

use crate::protocol::order::BuildSecret;
use crate::protocol::registry_token::{AUDIENCE, TOKEN_DIR, TOKEN_FILE};

/// Seconds that a token is valid beyond the deadline of its pod. The token ends with the pod in any case.
const SPARE: i64 = 600;

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

/// Volume and mount of a token for the embedded registry, valid for a pod that takes `seconds`.
pub(crate) fn token_mount(seconds: i64) -> (Value, Value) {
    let expires = seconds.saturating_add(SPARE);
    let token = json!({ "audience": AUDIENCE, "expirationSeconds": expires, "path": TOKEN_FILE });
    let sources = [json!({ "serviceAccountToken": token })];
    (
        json!({ "name": "registry-token", "projected": { "sources": sources, "defaultMode": 0o440 } }),
        json!({ "name": "registry-token", "mountPath": TOKEN_DIR, "readOnly": true }),
    )
}
