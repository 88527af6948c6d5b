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
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lookup: |host| Box::pin(async move { address::system_lookup(&host).await }),
            named: address::forbidden,
            redirected: address::forbidden_by_redirect,
        }
    }
}

impl Rules {
    /// Rules for sources where the platform owner allows only public addresses.
    pub(in crate::builder) fn public() -> Self {
        Self { named: address::forbidden_unless_public, ..Self::default() }
    }
}
