//! Which addresses the client may connect to. It opens no connection.

use std::net::IpAddr;

use futures::future::BoxFuture;

use crate::builder::address::{self, Host, Rule};

/// Which addresses are allowed, and how hosts are resolved.
pub(in crate::builder) struct Rules {
    pub(super) lookup: fn(Host) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>,
    /// For hosts that a person named.
    pub(super) named: Rule,
    /// For hosts that a server named.
    pub(super) redirected: Rule,
    /// The platform's registry. Its address is private, and folders of people are there.
    pub(super) own: Option<Host>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lookup: |host| Box::pin(async move { address::system_lookup(&host).await }),
            named: address::forbidden,
            redirected: address::forbidden_by_redirect,
            own: None,
        }
    }
}

impl Rules {
    /// Rules for sources where the platform owner allows only public addresses.
    pub(in crate::builder) fn public() -> Self {
        Self { named: address::forbidden_unless_public, ..Self::default() }
    }

    /// These rules, with the platform's registry, `host[:port]`, at any address that is not forbidden to everyone.
    pub(in crate::builder) fn and(self, registry: Option<&str>) -> Self {
        Self { own: registry.and_then(|host| address::host(host, 80).ok()), ..self }
    }

    /// The rule for a host that a person named.
    pub(super) fn of(&self, host: &Host) -> Rule {
        if self.own.as_ref() == Some(host) { address::forbidden } else { self.named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_only_public_sources_are_allowed_the_platforms_registry_is_allowed_too_and_nothing_else_inside() {
        let rules = Rules::public().and(Some("registry.doce-system.svc:5000"));
        let wrong = |host: &str, address: [u8; 4]| {
            let host = address::host(host, 80).unwrap();
            rules.of(&host)(address.into()).is_some()
        };
        assert!(!wrong("registry.doce-system.svc:5000", [10, 96, 0, 7]));
        for host in
            ["registry.doce-system.svc:5001", "registry.doce-system.svc", "other.doce-system.svc:5000"]
        {
            assert!(wrong(host, [10, 96, 0, 7]), "{host}");
        }
        assert!(
            wrong("registry.doce-system.svc:5000", [169, 254, 169, 254]),
            "no source is at such an address"
        );
        assert!(!wrong("git.example", [93, 184, 216, 34]));
    }
}
