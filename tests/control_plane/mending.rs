//! Status and children that somebody deletes or edits.
