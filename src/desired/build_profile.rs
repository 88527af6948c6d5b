//! What a build pod may do on its node, by the platform's profile. docs/build-profiles.md compares the profiles.

use serde_json::{Value, json};

use crate::protocol::order::Profile;

/// State directory of BuildKit; `None` if it does not run in the pod.
#[must_use]
pub fn state_directory(profile: Profile) -> Option<&'static str> {
    match profile {
        Profile::Rootless => Some("/home/user/.local/share/buildkit"),
        Profile::Userns | Profile::Privileged => Some("/var/lib/buildkit"),
        Profile::Isolated | Profile::Remote => None,
    }
}

/// `hostUsers` of the pod; `None` for the default.
#[must_use]
pub fn host_users(profile: Profile) -> Option<bool> {
    (profile == Profile::Userns).then_some(false)
}

/// Security context of the build container.
#[must_use]
pub fn security_context(profile: Profile) -> Value {
    match profile {
        // BuildKit creates user namespaces and mounts in them: seccomp and `AppArmor` must allow it (moby/buildkit,
        // docs/rootless.md).
        Profile::Rootless => json!({
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": { "type": "Unconfined" },
            "appArmorProfile": { "type": "Unconfined" },
        }),
        // In the pod's own user namespace (`Userns`), this grants all rights in that namespace and none on the node.
        Profile::Userns | Profile::Privileged => {
            json!({ "runAsUser": 0, "runAsGroup": 0, "privileged": true })
        }
        Profile::Isolated | Profile::Remote => restricted(),
    }
}

/// Security context of a container that only reads and writes its volumes: Pod Security "restricted" plus a read-only
/// root file system.
#[must_use]
pub fn restricted() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}
