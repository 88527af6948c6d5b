//! Tests that need the cluster alone: they change operator, registry or node, or count concurrent events. Their name
//! sorts late, so that few other tests wait for them.

#[path = "undisturbed/deaths.rs"]
mod deaths;
#[path = "undisturbed/profiles.rs"]
mod profiles;
#[path = "undisturbed/queue.rs"]
mod queue;
#[path = "undisturbed/sweep.rs"]
mod sweep;
#[path = "undisturbed/under_traffic.rs"]
mod under_traffic;
