//! Requests in the API server's audit log: who sent which.

use std::collections::BTreeMap;

use serde_json::Value;

use super::audit_log::AuditLog;

/// One answered request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) user: String,
    /// Namespace of the object; empty if there is none.
    pub(crate) namespace: String,
    /// get, list, watch, create, update, patch, delete… or dry-run.
    pub(crate) verb: String,
    /// Resource, with its subresource: `deployments`, `apps/status`. For other requests, such as those that discover
    /// resources: the path.
    pub(crate) resource: String,
    /// Status of the answer.
    pub(crate) code: u64,
}

impl Request {
    pub(crate) fn is_write(&self) -> bool {
        let stores_nothing = self.resource == "serviceaccounts/token" || self.resource.ends_with("reviews");
        matches!(&*self.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
            && !stores_nothing
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(&*self.verb, "get" | "list")
    }

    /// Verb and resource, and the status if it is an error.
    pub(crate) fn what(&self) -> String {
        let error = if self.code < 300 { String::new() } else { format!(" (answer {})", self.code) };
        format!("{} {}{error}", self.verb, self.resource)
    }
}

/// A position in the log.
pub(crate) struct Audit(AuditLog);

impl Audit {
    /// Starts at the end of the log.
    pub(crate) fn begin() -> Self {
        Self(AuditLog::end())
    }

    /// The requests since the last call, in the order of the answers.
    pub(crate) fn read(&mut self) -> Vec<Request> {
        let mut requests = vec![];
        self.0.each(|line| requests.push(parse(line)));
        requests
    }
}

fn parse(line: &str) -> Request {
    let event: Value = serde_json::from_str(line).expect("one JSON document per line");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // Operators and the benchmark act as users of their own, with the certificate of an administrator.
    let [acting, user] = ["impersonatedUser", "user"].map(|key| text(&event[key]["username"]));
    let [resource, part, namespace] =
        ["resource", "subresource", "namespace"].map(|key| text(&event["objectRef"][key]));
    let uri = event["requestURI"].as_str().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let resource = match (&*resource, &*part) {
        ("", _) => path.to_owned(),
        (resource, "") => resource.to_owned(),
        (resource, part) => format!("{resource}/{part}"),
    };
    Request {
        user: if acting.is_empty() { user } else { acting },
        namespace,
        verb: if query.contains("dryRun=All") { "dry-run".to_owned() } else { text(&event["verb"]) },
        resource,
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
    }
}

/// Counts requests by verb, resource and error.
pub(crate) fn tally<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for request in requests {
        *tally.entry(request.what()).or_insert(0) += 1;
    }
    tally
}
