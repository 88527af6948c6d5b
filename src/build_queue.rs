//! Which build starts when: the set of suspended Jobs, fair between namespaces, within one limit for the whole cluster and one
//! for each namespace.

pub mod admit;
mod owned;
pub mod positions;
pub mod run;
pub mod schedule;

pub use owned::owned;
