//! The decision table of docs/design.md (section 3), row by row: an observed state in, one step out. The cases contain
//! only what a row looks at; the model test has a model of the cluster.

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
