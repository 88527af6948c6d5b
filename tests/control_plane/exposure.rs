//! `spec.expose`: a project without a node port, and a project that says who may connect.

#[path = "exposure/node_port.rs"]
mod node_port;
#[path = "exposure/sources.rs"]
mod sources;
