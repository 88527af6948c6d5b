//! Tests that have the cluster to themselves: they change the operator, the registry or the node, or count what happens
//! at a time. In the order of names they come late, so that few others wait for them.

#[path = "undisturbed/profiles.rs"]
mod profiles;
#[path = "undisturbed/queue.rs"]
mod queue;
#[path = "undisturbed/sweep.rs"]
mod sweep;
#[path = "undisturbed/under_traffic.rs"]
mod under_traffic;
