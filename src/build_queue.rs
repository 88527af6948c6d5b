//! The build queue: which build starts when. The suspended Jobs are the queue. It is fair between namespaces, with one
//! limit for the cluster and one for each namespace. Polls have places of their own.

pub mod admit;
mod ownership;
mod places;
pub mod positions;
pub mod run;
pub mod schedule;

pub use ownership::owned;
