//! The object state that a write depends on.

/// One state of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: String,
    /// Its resource version.
    pub resource_version: String,
}
