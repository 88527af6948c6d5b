//! What can go wrong on the way to the API server, sorted by what follows from it.

use kube::core::Status;

/// A request that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else was faster, or the cache is behind: look again.
    #[error("cannot {what}: it has changed meanwhile")]
    Conflict {
        /// What was attempted.
        what: String,
    },
    /// The API server refuses it for a reason that a person must know.
    #[error("cannot {what}: {}", .refused.message)]
    Refused {
        /// What was attempted.
        what: String,
        /// Why.
        refused: Refused,
    },
    /// Anything else: tried again with growing pauses.
    #[error("cannot {what}")]
    Request {
        /// What was attempted.
        what: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// Our own shape of a child is not one of that kind: a defect.
    #[error("cannot write a {kind}: {message}")]
    Malformed {
        /// Kind of the child.
        kind: &'static str,
        /// What the kind's own type says.
        message: String,
    },
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The server's sentence.
    pub message: String,
    /// HTTP status.
    pub code: u16,
    /// The node port that was asked for is taken.
    pub port_taken: bool,
    /// The node port that was asked for is not in the server's range.
    pub port_out_of_range: bool,
    /// An object of that name is there and belongs to somebody else.
    pub name_taken: bool,
}

impl Error {
    /// A shape that its kind refuses.
    #[must_use]
    pub fn malformed(kind: &'static str, error: &serde_json::Error) -> Self {
        Self::Malformed { kind, message: error.to_string() }
    }

    /// Sorts an error of the client; `what` completes "cannot …".
    pub(super) fn sort(what: &str, error: kube::Error) -> Self {
        let what = what.to_owned();
        match error {
            kube::Error::Api(status) if matches!(status.code, 409 | 404) => Self::Conflict { what },
            kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
                Self::Refused { what, refused: refused(&status) }
            }
            source => Self::Request { what, source: Box::new(source) },
        }
    }

    /// An object of that name belongs to somebody else.
    pub(super) fn name_taken(what: &str, message: String) -> Self {
        let refused =
            Refused { message, code: 409, port_taken: false, port_out_of_range: false, name_taken: true };
        Self::Refused { what: what.to_owned(), refused }
    }
}

/// The API server has no machine-readable cause for node ports, only these sentences (Kubernetes 1.20 to 1.37).
fn refused(status: &Status) -> Refused {
    let says = |text: &str| status.message.contains(text);
    Refused {
        message: status.message.clone(),
        code: status.code,
        port_taken: says("provided port is already allocated"),
        port_out_of_range: says("not in the valid range") || says("provided port is not in the valid range"),
        name_taken: false,
    }
}
