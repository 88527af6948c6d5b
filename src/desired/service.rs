//! The Service: port 80 for ever, the container port by name, a node port that never changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{meta, names};
use crate::project::Project;

/// The whole of what the operator sets; without a port, what is to be compared whatever the port is.
#[must_use]
pub fn apply(project: &Project, node_port: Option<u16>) -> Value {
    let mut port = json!({ "name": names::PORT, "port": 80, "protocol": "TCP", "targetPort": names::PORT });
    if let Some(node_port) = node_port {
        port["nodePort"] = json!(node_port);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta::dressed(project, &project.name, names::ROLE_APP, BTreeMap::new()),
        "spec": { "type": "NodePort", "selector": meta::selector(&project.name), "ports": [port] },
    })
}
