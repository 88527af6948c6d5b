//! One-off requests: annotations that users, the CLI, the API or a webhook write. The operator reads them and never
//! edits them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A one-off request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestKind {
    /// Look up the source again: `doce.dev/deploy: "@<token>"`.
    Deploy,
    /// Roll back: `doce.dev/rollback: "previous@<token>"` or `"<version>@<token>"`.
    Rollback,
    /// Retry what failed: `doce.dev/retry: "@<token>"`.
    Retry,
    /// Restart the pods: `doce.dev/restart: "@<token>"`.
    Restart,
    /// Cancel a build: `doce.dev/cancel: "<build id>@<token>"`.
    Cancel,
}

impl RequestKind {
    /// Every verb, in the order in which `decide` handles them.
    pub const ALL: [Self; 5] = [Self::Cancel, Self::Retry, Self::Rollback, Self::Restart, Self::Deploy];

    /// The annotation that carries the verb.
    #[must_use]
    pub fn annotation(self) -> &'static str {
        match self {
            Self::Deploy => "doce.dev/deploy",
            Self::Rollback => "doce.dev/rollback",
            Self::Retry => "doce.dev/retry",
            Self::Restart => "doce.dev/restart",
            Self::Cancel => "doce.dev/cancel",
        }
    }

    /// The annotation without its prefix.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.annotation().strip_prefix("doce.dev/").unwrap_or_default()
    }
}

/// Longest value of a request, in bytes. A longer value is cut before it is compared or stored.
pub const MAX_VALUE: usize = 256;

/// The requests of an object, with the whole value of each annotation: a request is new if its value differs.
#[must_use]
pub fn requests(annotations: &BTreeMap<String, String>) -> BTreeMap<RequestKind, String> {
    let value = |verb: RequestKind| annotations.get(verb.annotation()).map(|value| (verb, bounded(value)));
    RequestKind::ALL.into_iter().filter_map(value).collect()
}

/// Maximum number of unknown requests that status reports.
const MAX_UNKNOWN: usize = 3;

/// Values of `doce.dev/` annotations that are not requests, by the part of their key after `doce.dev/`.
#[must_use]
pub fn unknown(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let word = |(key, value): (&String, &String)| {
        let word = key.strip_prefix(crate::crd::GROUP)?.strip_prefix('/')?;
        let known = RequestKind::ALL.into_iter().any(|verb| verb.word() == word);
        (!known).then(|| (word.to_owned(), bounded(value)))
    };
    annotations.iter().filter_map(word).take(MAX_UNKNOWN).collect()
}

/// The argument of a request: the part before the last `@`, or the whole value without one.
#[must_use]
pub fn argument(value: &str) -> &str {
    value.rsplit_once('@').map_or(value, |(argument, _)| argument).trim()
}

fn bounded(value: &str) -> String {
    value
        .chars()
        .filter(|c| !c.is_control())
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= MAX_VALUE).then_some(c)
        })
        .collect()
}
