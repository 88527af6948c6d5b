//! Control-plane tests: a real API server, controller manager and scheduler, pods played by kwok. They may talk to that
//! API server and run the operator in their own process; they must not reach into the operator's memory, and each has
//! a namespace of its own. Started by `doce-cluster with control-plane -- cargo test --test control_plane`.

#[path = "control_plane/harness.rs"]
mod harness;

#[path = "control_plane/first_deploy.rs"]
mod first_deploy;
#[path = "control_plane/apply.rs"]
mod apply;

#[path = "control_plane/crashes.rs"]
mod crashes;
#[path = "control_plane/mending.rs"]
mod mending;
#[path = "control_plane/other_hands.rs"]
mod other_hands;
