//! Objects of other owners under our names, children of a deleted namesake, and deletion: what belongs to somebody else is
//! never adopted, what nobody owns any more is, and nothing is left.

#[path = "other_hands/deletion.rs"]
mod deletion;
#[path = "other_hands/left_behind.rs"]
mod left_behind;
#[path = "other_hands/strangers.rs"]
mod strangers;
