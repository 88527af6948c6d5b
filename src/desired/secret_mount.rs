//! A Secret that a pod of ours mounts. Nobody else reads it.

use serde_json::{Value, json};

/// Volume and mount of the Secret `name`. Optional: the program itself says at once that it is missing, where the kubelet
/// would wait for the deadline.
pub(super) fn secret_mount(volume: &str, name: &str, directory: &str) -> (Value, Value) {
    let secret = json!({ "secretName": name, "optional": true, "defaultMode": 0o440 });
    (
        json!({ "name": volume, "secret": secret }),
        json!({ "name": volume, "mountPath": directory, "readOnly": true }),
    )
}
