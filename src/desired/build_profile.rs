//! What a build pod may do on its node, by the platform's profile. What each gives up is in docs/build-profiles.md.

use serde_json::{Value, json};

use crate::build::order::Profile;

/// Directory that BuildKit keeps its state in.
#[must_use]
pub fn state_directory(profile: Profile) -> &'static str {
    match profile {
        Profile::Rootless => "/home/user/.local/share/buildkit",
        Profile::Userns | Profile::Privileged => "/var/lib/buildkit",
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
    }
}
