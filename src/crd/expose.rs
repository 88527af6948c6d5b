//! `spec.expose`: how the project is reached, and by whom. Not part of the version.
#![allow(clippy::doc_markdown, reason = "kubectl explain prints the descriptions and shows no Markdown")]
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the project is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expose {
    /// The port on every node.
    #[serde(default)]
    pub node_port: NodePort,
    /// Who may connect to the pods of the app. Absent: everyone. Otherwise only these sources, and none if the list is
    /// empty. The pods of this namespace are among them only if it is named. The operator keeps a NetworkPolicy for it,
    /// which works only if the network of the cluster enforces NetworkPolicies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub allow_from: Option<Vec<AllowedSource>>,
}

/// Who may connect: the addresses of a network, or the pods of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.cidr) != has(self.namespace)").message("spec.expose.allowFrom: each entry needs exactly one of cidr or namespace"))]
pub struct AllowedSource {
    /// A network, such as 203.0.113.0/24, 203.0.113.7/32 or 2001:db8::/32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()").message("spec.expose.allowFrom: cidr must be an IPv4 or IPv6 network with no bits after its prefix, such as 203.0.113.0/24, 203.0.113.7/32 or 2001:db8::/32"))]
    pub cidr: Option<String>,
    /// Name of a namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("spec.expose.allowFrom: namespace must be the name of a namespace: only a-z, 0-9 and '-', such as ingress-nginx"))]
    pub namespace: Option<String>,
}

/// The port on every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.mode == 'Fixed') == has(self.port)").message("spec.expose.nodePort.port is required for mode Fixed and not allowed for mode Auto or None"))]
pub struct NodePort {
    /// Auto: the operator picks a port once and keeps it. Fixed: use port. None: no port; only clients inside the
    /// cluster reach the project.
    #[serde(default)]
    pub mode: NodePortMode,
    /// The port for mode Fixed. It must be in the range of the platform (nodePorts of the chart, by default 30100 to 32667).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 65535").message("spec.expose.nodePort.port must be between 1 and 65535, and in the API server's node port range"))]
    pub port: Option<i32>,
}

/// Who picks the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodePortMode {
    /// The operator.
    #[default]
    Auto,
    /// The user.
    Fixed,
    /// The project has no port on the nodes.
    None,
}
