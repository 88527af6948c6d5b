//! Builder pods: each running build has one in the namespace of builds, as long as it runs (docs/decisions/0062). The
//! build Jobs say which are needed, so a restart of the operator loses nothing.

mod plan;
pub mod run;
