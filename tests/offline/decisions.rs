//! The table of docs/design.md (section 3), row by row: a world in, one step out. No model of the cluster here (that is the model test),
//! and nothing that a row does not look at.

mod builds;
mod case;
mod cleanups;
mod hold;
mod init;
mod polls;
mod requests;
mod seen;
mod sets;
mod steady;
mod users;
mod verdicts;
mod wanted;
