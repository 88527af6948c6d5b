//! Requests that are not desired state: annotations that people, the CLI, the API or a webhook write. The operator
//! reads them and never edits them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a person may ask besides the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Look at the source again: `doce.dev/deploy: "@<token>"`.
    Deploy,
    /// Go back: `doce.dev/rollback: "previous@<token>"` or `"<version>@<token>"`.
    Rollback,
    /// Try again what failed: `doce.dev/retry: "@<token>"`.
    Retry,
    /// Start the pods anew: `doce.dev/restart: "@<token>"`.
    Restart,
    /// End a build: `doce.dev/cancel: "<build id>@<token>"`.
    Cancel,
}

impl Verb {
    /// Every verb, in the order in which the decision looks at them.
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

    /// The word that people type.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.annotation().strip_prefix("doce.dev/").unwrap_or_default()
    }
}

/// Longest value of a request that is looked at, in bytes; a longer one is cut before it is remembered.
pub const MAX_VALUE: usize = 256;

/// The requests an object carries: the whole value of each annotation, for a value is new when it differs.
#[must_use]
pub fn requests(annotations: &BTreeMap<String, String>) -> BTreeMap<Verb, String> {
    let value = |verb: Verb| annotations.get(verb.annotation()).map(|value| (verb, bounded(value)));
    Verb::ALL.into_iter().filter_map(value).collect()
}

/// Most unknown requests that are answered.
const MAX_UNKNOWN: usize = 3;

/// Annotations of ours that are no request there is, by what stands behind `doce.dev/`, with their values.
#[must_use]
pub fn unknown(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let word = |(key, value): (&String, &String)| {
        let word = key.strip_prefix(crate::crd::GROUP)?.strip_prefix('/')?;
        let known = Verb::ALL.into_iter().any(|verb| verb.word() == word);
        (!known).then(|| (word.to_owned(), bounded(value)))
    };
    annotations.iter().filter_map(word).take(MAX_UNKNOWN).collect()
}

/// The argument of a request: what stands before the last `@`; the whole value where there is none.
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
