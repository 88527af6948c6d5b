//! Images that no record names any more, in registries that the sweep of the embedded one does not reach: which Job deletes
//! which of them, and when it may start. What happens in its pod is in `builder::cleanup`.

pub mod facts;
pub mod job;
pub mod observed;
pub mod plan;
