//! The Service: always port 80, the container port by name, and a node port that never changes, unless the spec asks for
//! none.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{meta, names};
use crate::project::Project;

/// All fields that the operator sets. Without `node_port`: the fields to compare, whatever the port is, or all fields
/// if the project has no node port.
#[must_use]
pub fn apply(project: &Project, node_port: Option<u16>) -> Value {
    let mut port = json!({ "name": names::PORT, "port": 80, "protocol": "TCP", "targetPort": names::PORT });
    if let Some(node_port) = node_port.filter(|_| project.has_node_port) {
        port["nodePort"] = json!(node_port);
    }
    let kind = if project.has_node_port { "NodePort" } else { "ClusterIP" };
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta::dressed(project, &project.name, names::ROLE_APP, BTreeMap::new()),
        "spec": { "type": kind, "selector": meta::selector(&project.name), "ports": [port] },
    })
}

/// The node port that the API server assigned to our Service.
#[must_use]
pub fn node_port(service: &Service) -> Option<u16> {
    let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let ours = ports.find(|port| port.name.as_deref() == Some(names::PORT) || port.port == 80)?;
    u16::try_from(ours.node_port?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_port_is_read_from_the_service() {
        let service =
            |spec| serde_json::from_value(json!({ "metadata": { "name": "shop" }, "spec": spec })).unwrap();
        assert_eq!(node_port(&service(json!({ "ports": [{ "port": 80, "nodePort": 31214 }] }))), Some(31214));
        assert_eq!(node_port(&service(json!({ "ports": [{ "port": 80 }] }))), None);
        assert_eq!(node_port(&service(json!({}))), None);
    }
}
