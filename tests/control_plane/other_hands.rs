//! Objects of other owners under our names, children of a deleted namesake, and deletion: nothing is ever adopted and
//! nothing is left.

#[path = "other_hands/deletion.rs"]
mod deletion;
#[path = "other_hands/strangers.rs"]
mod strangers;
