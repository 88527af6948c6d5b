//! What a build pod may do on its node, by the platform's profile. What each gives up is in docs/build-profiles.md.

use serde_json::{Value, json};

use crate::protocol::order::Profile;

/// Directory that BuildKit keeps its state in; none where it does not run in the pod.
#[must_use]
pub fn state_directory(profile: Profile) -> Option<&'static str> {
    match profile {
        Profile::Rootless => Some("/home/user/.local/share/buildkit"),
        Profile::Userns | Profile::Privileged => Some("/var/lib/buildkit"),
        Profile::Remote => None,
    }
}

/// `hostUsers` of the pod; none where it is as usual.
#[must_use]
pub fn host_users(profile: Profile) -> Option<bool> {
    (profile == Profile::Userns).then_some(false)
}

/// Security context of the build container.
#[must_use]
pub fn security_context(profile: Profile) -> Value {
    match profile {
        // BuildKit makes user namespaces and mounts in them: seccomp and `AppArmor` must let it (moby/buildkit,
        // docs/rootless.md).
        Profile::Rootless => json!({
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": { "type": "Unconfined" },
            "appArmorProfile": { "type": "Unconfined" },
        }),
        // In a user namespace of the pod's own this is every right over that namespace and none over the node.
        Profile::Userns | Profile::Privileged => {
            json!({ "runAsUser": 0, "runAsGroup": 0, "privileged": true })
        }
        Profile::Remote => restricted(),
    }
}

/// Security context of a container that only reads and writes its volumes: what Pod Security "restricted" asks for, and
/// a root file system that cannot be written.
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
