//! What people see of a project: its versions, what differs between two of them, why it does not run, and how far the
//! work is. Pure. The CLI and the HTTP API show what this returns.

pub mod build_steps;
pub mod cause;
pub mod diff;
pub mod log_cursor;
pub mod owners;
pub mod progress;
pub mod remembered;
pub mod versions;
