//! Which build starts when: the suspended Jobs are the queue, fair between namespaces, within one limit for the whole
//! cluster and one for each namespace.

pub mod admit;
mod owned;
pub mod positions;
pub mod run;
pub mod schedule;

pub use owned::owned;
