//! Foreign objects with the names of children, children of a deleted predecessor, and deletion. The operator never
//! adopts an object of another owner, adopts orphans, and leaves nothing.

#[path = "other_hands/deletion.rs"]
mod deletion;
#[path = "other_hands/left_behind.rs"]
mod left_behind;
#[path = "other_hands/strangers.rs"]
mod strangers;
