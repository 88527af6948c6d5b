//! Requests: what each annotation does, what is refused and with which words, and that nothing is built for going back.

#[path = "requests/builds.rs"]
mod builds;
#[path = "requests/restarts.rs"]
mod restarts;
#[path = "requests/rollbacks.rs"]
mod rollbacks;
#[path = "requests/spec.rs"]
mod spec;
#[path = "requests/under_way.rs"]
mod under_way;
