//! Which addresses the client may talk to. It decides and opens nothing.

use std::net::IpAddr;

use futures::future::BoxFuture;

use crate::builder::address::{self, Host, Rule};

/// Which addresses may be talked to, and how they are found.
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
    /// For sources, where the platform's owner lets them be at public addresses only.
    pub(in crate::builder) fn public() -> Self {
        Self { named: address::forbidden_unless_public, ..Self::default() }
    }
}
