//! What the operator remembers of a project: a ledger, a record for each version, and the form that both have as
//! `ControllerRevision`s.

pub mod ledger;
pub mod record;
pub mod revisions;
