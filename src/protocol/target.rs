//! What a build is of.

/// What a Job builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildOf {
    /// A build key that is known.
    Key(String),
    /// A branch or tag that must be looked up first: the number of the lookup.
    Lookup(u64),
}
