//! What the app's pods may do, in the terms of the Pod Security Standards: `run.security` and the user of the image make
//! the security contexts of pod and container.

use serde_json::{Value, json};

use crate::crd::run::Security;

/// What the contexts are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// `spec.run.security` of the version.
    pub security: Security,
    /// Numeric user of the image, where it was learned; 0 is root.
    pub uid: Option<i64>,
    /// The app listens on a port below 1024.
    pub low_port: bool,
}

/// Whether listening on `port` is a privilege by the kernel's own default.
#[must_use]
pub fn is_low(port: i64) -> bool {
    (1..1024).contains(&port)
}

/// Lets every user of the pod listen on low ports. Recorded with the template, where the user is not known yet: it is
/// one of the safe sysctls, which "restricted" admits, and root needs none.
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
            // Records of the first release have none, and their templates may not change.
            _ if self.low_port && user.is_some() => low_ports(),
            _ => json!({}),
        };
        context["seccompProfile"] = json!({ "type": "RuntimeDefault" });
        if let Some(uid) = user {
            context["runAsUser"] = json!(uid);
        }
        if user.is_some() || self.security == Security::Restricted {
            context["runAsNonRoot"] = json!(true); // Where the user is not known, the kubelet looks at the image.
        }
        context
    }

    /// The container's context; none where the image decides.
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
