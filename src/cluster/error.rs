//! Errors of requests to the API server, grouped by the reaction to them.

use kube::core::Status;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another writer was faster, or the cache lags behind: observe again.
    #[error("cannot {what}: the object changed in the meantime")]
    Conflict {
        /// What was attempted.
        what: String,
    },
    /// The API server rejects it for a reason that a person must know.
    #[error("cannot {what}: {}", .refused.message)]
    Refused {
        /// What was attempted.
        what: String,
        /// Why.
        refused: Refused,
    },
    /// Anything else: retried with backoff.
    #[error("cannot {what}")]
    Request {
        /// What was attempted.
        what: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// Our shape of a child does not parse as its kind: a defect.
    #[error("cannot write a {kind}: {message}")]
    Malformed {
        /// Kind of the child.
        kind: &'static str,
        /// The error of the parser.
        message: String,
    },
}

/// A rejection by the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The server's message.
    pub message: String,
    /// HTTP status.
    pub code: u16,
    /// The requested node port is in use.
    pub port_taken: bool,
    /// The requested node port is not in the server's range.
    pub port_out_of_range: bool,
    /// An object of that name exists and is not part of this project.
    pub name_taken: bool,
}

impl Error {
    /// The API server's answer to a request that it read and did not carry out. It says nothing about requests for other
    /// objects: a policy rejects this one, or a webhook for it does not answer. `None` if the API server has no time, does not
    /// know who asks, or gave no answer.
    #[must_use]
    pub fn of_object(&self) -> Option<&str> {
        match self {
            Self::Refused { refused, .. } => Some(&refused.message),
            Self::Request { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if !matches!(status.code, 401 | 429 | 503 | 504) => {
                    Some(&status.message)
                }
                _ => None,
            },
            Self::Conflict { .. } | Self::Malformed { .. } => None,
        }
    }

    /// The error for a shape that does not parse as its kind.
    #[must_use]
    pub fn malformed(kind: &'static str, error: &serde_json::Error) -> Self {
        Self::Malformed { kind, message: error.to_string() }
    }

    /// Classifies an error of the client; `what` completes "cannot …".
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

    /// The error for an object of that name that is not part of this project.
    pub(super) fn name_taken(what: &str, message: String) -> Self {
        let refused =
            Refused { message, code: 409, port_taken: false, port_out_of_range: false, name_taken: true };
        Self::Refused { what: what.to_owned(), refused }
    }
}

/// Parses a rejection. For node ports the API server has no machine-readable cause, only these sentences (Kubernetes
/// 1.20 to 1.37).
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
