//! The faults by name, and the API server's answers.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::call::Call;

/// A fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// The process dies; the request is never sent.
    DieBefore,
    /// The process dies after the API server has answered. It never sees the answer.
    DieAfter,
    /// 409, not sent: another writer was faster.
    Conflict,
    /// 422, not sent: the API server rejects it.
    Invalid,
    /// 429 with Retry-After, not sent.
    TooMany,
    /// 500, not sent.
    Internal,
    /// 504: the API server has done it, but its answer is lost.
    TimeoutAfter,
    /// The connection is cut before the request is sent.
    CutBefore,
    /// The connection is cut after the API server has done it.
    CutAfter,
    /// The stream of a watch is cut after this many events.
    CutAt(usize),
    /// The stream of a watch sends nothing more after this many events.
    SilentAt(usize),
    /// The stream of a watch says 410 Expired after this many events, and ends.
    ExpiredAt(usize),
    /// A list or a watch returns 410 Expired.
    Expired,
    /// A list returns its first answer again, like an API server that lags.
    StaleList,
    /// A read returns its first answer from the same address again.
    StaleGet,
}

const NAMES: [(Fault, &str); 12] = [
    (Fault::DieBefore, "die-before"),
    (Fault::DieAfter, "die-after"),
    (Fault::Conflict, "409"),
    (Fault::Invalid, "422"),
    (Fault::TooMany, "429"),
    (Fault::Internal, "500"),
    (Fault::TimeoutAfter, "504-after"),
    (Fault::CutBefore, "cut-before"),
    (Fault::CutAfter, "cut-after"),
    (Fault::Expired, "410"),
    (Fault::StaleList, "stale-list"),
    (Fault::StaleGet, "stale-get"),
];

impl Fault {
    /// The name without the position in a stream.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::CutAt(_) => "cut-stream",
            Self::SilentAt(_) => "silent-stream",
            Self::ExpiredAt(_) => "410-stream",
            named => NAMES.iter().find(|(fault, _)| *fault == named).map_or("", |(_, name)| name),
        }
    }

    /// True if the process is dead afterwards.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieAfter)
    }

    /// True if it happens in the stream of a watch.
    pub(crate) fn in_stream(self) -> Option<usize> {
        match self {
            Self::CutAt(at) | Self::SilentAt(at) | Self::ExpiredAt(at) => Some(at),
            _ => None,
        }
    }

    /// The answer that the operator gets in place of the API server's: code and `Status`; none if it gets no answer.
    pub(crate) fn answer(self, call: &Call, name: &str) -> Option<(u16, Value)> {
        let resource = call.resource.as_str();
        let (code, reason, message) = match self {
            Self::Conflict if call.verb == "POST" => {
                (409, "AlreadyExists", format!("{resource} \"{name}\" already exists"))
            }
            Self::Conflict => (
                409,
                "Conflict",
                format!(
                    "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
                ),
            ),
            Self::Invalid if resource == "services" => (
                422,
                "Invalid",
                format!(
                    "Service \"{name}\" is invalid: spec.ports[0].nodePort: Invalid value: 0: provided port is already allocated"
                ),
            ),
            Self::Invalid => (422, "Invalid", format!("{resource} \"{name}\" is invalid: spec: Forbidden")),
            Self::TooMany => (429, "TooManyRequests", "the server has received too many requests".to_owned()),
            Self::Internal => {
                (500, "InternalError", "Internal error occurred: etcdserver: leader changed".to_owned())
            }
            Self::TimeoutAfter => (504, "Timeout", "Timeout: request did not complete in time".to_owned()),
            Self::Expired | Self::ExpiredAt(_) => {
                (410, "Expired", "too old resource version: 1 (2)".to_owned())
            }
            _ => return None,
        };
        // As the API server's own validation does.
        let causes = message.split_once(" is invalid: ").and_then(|(_, said)| said.split_once(": "));
        let causes: Vec<Value> = causes
            .map(|(field, said)| json!({ "reason": "FieldValueInvalid", "field": field, "message": said }))
            .into_iter()
            .collect();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": { "name": name, "kind": resource, "causes": causes }, "code": code,
        });
        Some((code, status))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutAt(at) => write!(out, "cut@{at}"),
            Self::SilentAt(at) => write!(out, "silent@{at}"),
            Self::ExpiredAt(at) => write!(out, "410@{at}"),
            named => out.write_str(named.family()),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no fault");
        if let Some((name, at)) = text.split_once('@') {
            let at = at.parse().map_err(|_| unknown())?;
            return match name {
                "cut" => Ok(Self::CutAt(at)),
                "silent" => Ok(Self::SilentAt(at)),
                "410" => Ok(Self::ExpiredAt(at)),
                _ => Err(unknown()),
            };
        }
        NAMES.iter().find(|(_, name)| *name == text).map(|(fault, _)| *fault).ok_or_else(unknown)
    }
}
