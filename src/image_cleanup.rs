//! Image cleanup: deletes images that no record names any more, in registries that the sweep of the embedded registry
//! does not reach. This module decides which Job deletes which image, and when it may start. `builder::cleanup` runs in
//! its pod.

pub mod facts;
pub mod job;
pub mod observed;
pub mod plan;
