//! A request of a person, as the annotation that carries it. Pure. The CLI and the HTTP API write what this returns; the
//! operator reads it (`crd::annotations`).

use serde_json::{Value, json};

use crate::crd::annotations::RequestKind;

/// A one-off request with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    kind: RequestKind,
    argument: String,
}

impl Request {
    /// Look up the source again.
    #[must_use]
    pub fn deploy() -> Self {
        Self::without_argument(RequestKind::Deploy)
    }

    /// Retry what failed.
    #[must_use]
    pub fn retry() -> Self {
        Self::without_argument(RequestKind::Retry)
    }

    /// Restart the pods.
    #[must_use]
    pub fn restart() -> Self {
        Self::without_argument(RequestKind::Restart)
    }

    /// Roll back to a version, or to `previous`.
    #[must_use]
    pub fn rollback(version: &str) -> Self {
        Self { kind: RequestKind::Rollback, argument: version.to_owned() }
    }

    /// Cancel the build with this id.
    #[must_use]
    pub fn cancel(build: &str) -> Self {
        Self { kind: RequestKind::Cancel, argument: build.to_owned() }
    }

    fn without_argument(kind: RequestKind) -> Self {
        Self { kind, argument: String::new() }
    }

    /// What it asks for.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// Value of the annotation. A request is new if its value is new, so every use needs another token.
    #[must_use]
    pub fn value(&self, token: &str) -> String {
        format!("{}@{token}", self.argument)
    }

    /// JSON merge patch of the resource that makes the request.
    #[must_use]
    pub fn patch(&self, token: &str) -> Value {
        json!({ "metadata": { "annotations": { self.kind.annotation(): self.value(token) } } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::annotations::argument;

    #[test]
    fn the_operator_reads_back_the_argument_of_every_request() {
        for (request, expected) in [
            (Request::deploy(), ""),
            (Request::retry(), ""),
            (Request::restart(), ""),
            (Request::rollback("previous"), "previous"),
            (Request::cancel("shop-1a2b3c4d"), "shop-1a2b3c4d"),
        ] {
            let patch = request.patch("2026-11-30T12:00:00Z");
            let value = patch["metadata"]["annotations"][request.kind().annotation()].as_str().unwrap();
            assert_eq!(argument(value), expected);
        }
    }
}
