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
    /// What is wrong with the requested node port, if it is the cause.
    pub port: Option<PortRefusal>,
    /// An object of that name exists and is not part of this project.
    pub name_taken: bool,
    /// Something changes the object after every repair.
    pub altered: bool,
}

/// Why the API server does not assign a node port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRefusal {
    /// A Service has it.
    InUse,
    /// It is not in the API server's range.
    OutOfRange,
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
        let refused = Refused { message, code: 409, port: None, name_taken: true, altered: false };
        Self::Refused { what: what.to_owned(), refused }
    }

    /// The error for an object of ours that the watches do not see, because something strips its labels after every repair.
    pub(super) fn altered(what: &str, message: String) -> Self {
        let refused = Refused { message, code: 409, port: None, name_taken: false, altered: true };
        Self::Refused { what: what.to_owned(), refused }
    }
}

fn refused(status: &Status) -> Refused {
    let message = status.message.clone();
    Refused { message, code: status.code, port: port_refusal(status), name_taken: false, altered: false }
}

/// For node ports the API server has no machine-readable cause, only these sentences (Kubernetes 1.20 to 1.37). They count
/// only if its own validation names the field: the text of a quota, a policy or a webhook may say anything.
fn port_refusal(status: &Status) -> Option<PortRefusal> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut of_port =
        causes.filter(|cause| cause.field.starts_with("spec.ports") && cause.field.ends_with("nodePort"));
    of_port.find_map(|cause| match cause.message.as_str() {
        says if says.contains("provided port is already allocated") => Some(PortRefusal::InUse),
        says if says.contains("not in the valid range") => Some(PortRefusal::OutOfRange),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn port(status: serde_json::Value) -> Option<PortRefusal> {
        let status: Status = serde_json::from_value(status).unwrap();
        match Error::sort("apply Service shop", kube::Error::Api(Box::new(status))) {
            Error::Refused { refused, .. } => refused.port,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_validation_of_the_api_server_says_what_is_wrong_with_a_node_port() {
        let cause = |field: &str, message: &str| {
            json!({ "status": "Failure", "code": 422, "reason": "Invalid", "message": message, "details": {
                "causes": [{ "reason": "FieldValueInvalid", "field": field, "message": message }] } })
        };
        let taken = "Invalid value: 31000: provided port is already allocated";
        let out = "Invalid value: 8080: provided port is not in the valid range. The range of valid ports is 30000-32767";
        assert_eq!(port(cause("spec.ports[0].nodePort", taken)), Some(PortRefusal::InUse));
        assert_eq!(port(cause("spec.ports[0].nodePort", out)), Some(PortRefusal::OutOfRange));
        assert_eq!(port(cause("spec.ports[0].port", "Invalid value: 0: must be between 1 and 65535")), None);
        // A policy denies with 422 too, and its message is free text.
        let denied = json!({ "status": "Failure", "code": 422, "reason": "Invalid", "message": taken, "details": {
            "causes": [{ "message": taken }] } });
        assert_eq!(port(denied), None);
        let quota = json!({ "status": "Failure", "code": 403, "reason": "Forbidden",
            "message": "services \"shop\" is forbidden: exceeded quota: ports, requested: services.nodeports=1" });
        assert_eq!(port(quota), None);
    }
}
