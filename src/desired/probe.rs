//! The probes of the app's container, as `spec.run.health` describes them.

use serde_json::{Value, json};

use super::names;
use crate::crd::spec::{Health, HealthType};

/// The Host header of a GET, unless the spec sets another. The kubelet would send the pod's address: apps with a list
/// of allowed hosts reject that, and the kubelet would follow a redirect to https there to a port without TLS
/// (docs/decisions/0035).
const HOST: &str = "localhost";

/// A probe every `period` seconds that may fail `failures` times in a row; `None` if the process only has to run.
pub(super) fn probe(health: &Health, period: i32, failures: i32) -> Option<Value> {
    let port = health.port.map_or_else(|| json!(names::PORT), |port| json!(port));
    let (kind, action) = match health.kind {
        HealthType::None => return None,
        HealthType::Http => {
            let headers = headers(health);
            (
                "httpGet",
                json!({ "path": health.path, "port": port, "scheme": "HTTP", "httpHeaders": headers }),
            )
        }
        HealthType::Tcp => ("tcpSocket", json!({ "port": port })),
        HealthType::Command => ("exec", json!({ "command": health.command })),
    };
    let mut probe =
        json!({ "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": health.timeout() });
    probe[kind] = action;
    Some(probe)
}

fn headers(health: &Health) -> Vec<Value> {
    let own = &health.http_headers;
    let host = (!own.iter().any(|header| header.name.eq_ignore_ascii_case("host"))).then_some(("Host", HOST));
    let own = own.iter().map(|header| (header.name.as_str(), header.value.as_str()));
    host.into_iter().chain(own).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
