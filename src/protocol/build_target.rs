//! The target of a build Job.

/// What a Job builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildTarget {
    /// A known build key.
    Key(String),
    /// A branch, tag or digest to look up first: the number of the lookup.
    Lookup(u64),
}
