//! Removes paths that are below other paths.

use std::borrow::Borrow;
use std::collections::BTreeSet;

/// The paths that are not below another one.
pub(super) fn outermost<T: Borrow<str> + Ord>(paths: &BTreeSet<T>) -> impl Iterator<Item = &T> {
    paths.iter().filter(|path| {
        let path: &str = (*path).borrow();
        !path.match_indices('/').any(|(at, _)| paths.contains(&path[..at]))
    })
}
