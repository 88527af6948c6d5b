//! The build queue: which build starts when. The suspended Jobs are the queue. It is fair between namespaces, with one
//! limit for the cluster and one for each namespace.

pub mod admit;
mod ownership;
pub mod positions;
pub mod run;
pub mod schedule;

pub use ownership::owned;
