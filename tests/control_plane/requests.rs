//! Requests: the effect of each annotation, the messages of rejections, and no build for a rollback.

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
