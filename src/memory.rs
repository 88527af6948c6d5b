//! What the operator remembers about a project: one ledger, one record per version, and their form as
//! `ControllerRevision`s.

pub mod ledger;
pub mod lost_images;
pub mod outcome;
pub mod record;
pub mod revisions;
