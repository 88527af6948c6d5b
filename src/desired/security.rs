//! Security contexts of the app's pod and container, from `run.security` and the user of the image, in the terms of the
//! Pod Security Standards.

use serde_json::{Value, json};

use crate::crd::run::Security;

/// Inputs for the contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// `spec.run.security` of the version.
    pub security: Security,
    /// Numeric user of the image, if known; 0 is root.
    pub uid: Option<i64>,
    /// The app listens on a port below 1024.
    pub low_port: bool,
}

/// Whether listening on `port` needs a privilege by the kernel's default.
#[must_use]
pub fn is_low(port: i64) -> bool {
    (1..1024).contains(&port)
}

/// Allows every user in the pod to listen on low ports. It is part of the recorded template, when the user is not known
/// yet. It is one of the safe sysctls, which "restricted" admits; root does not need it.
#[must_use]
pub fn low_ports() -> Value {
    json!({ "sysctls": [{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }] })
}

impl Means {
    /// The pod's context on top of the `recorded` one.
    #[must_use]
    pub fn pod(self, recorded: &Value) -> Value {
        let user = self.own_user().filter(|_| self.security != Security::Baseline);
        let mut context = match recorded {
            Value::Object(_) => recorded.clone(),
            // Records of the first release have no sysctl, and their templates must not change.
            _ if self.low_port && user.is_some() => low_ports(),
            _ => json!({}),
        };
        context["seccompProfile"] = json!({ "type": "RuntimeDefault" });
        if let Some(uid) = user {
            context["runAsUser"] = json!(uid);
        }
        if user.is_some() || self.security == Security::Restricted {
            context["runAsNonRoot"] = json!(true); // If the user is not known, the kubelet checks the image.
        }
        context
    }

    /// The container's context; `None` if the image decides.
    #[must_use]
    pub fn container(self) -> Option<Value> {
        let restricted = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
        match self.security {
            Security::Baseline => None,
            Security::Restricted => Some(restricted),
            Security::Auto if self.own_user().is_some() => Some(restricted),
            Security::Auto => Some(json!({ "allowPrivilegeEscalation": false })),
        }
    }

    fn own_user(self) -> Option<i64> {
        self.uid.filter(|uid| *uid > 0)
    }
}
