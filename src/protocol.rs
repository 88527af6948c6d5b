//! What the operator and the pod of a build tell each other: the order, what is built, and the report with its reasons. Both
//! sides use these types; neither uses the other.

pub mod framework;
pub mod order;
pub mod reason;
pub mod report;
pub mod target;
