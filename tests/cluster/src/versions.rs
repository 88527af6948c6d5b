//! What is pinned besides the Go programs: the Debian packages.
//! It installs nothing.

use serde::Deserialize;

use crate::Error;

/// The contents of `versions.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// What comes from the distribution.
    pub debian: Debian,
}

/// Packages of one Debian release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Debian {
    /// The release they are taken from.
    pub release: String,
    /// What tests beside a control plane need, in either mode.
    pub control_plane: Vec<String>,
    /// What a node needs besides.
    pub node: Vec<String>,
}

impl Versions {
    /// The pins that this launcher was built with.
    pub fn pinned() -> Result<Self, Error> {
        toml::from_str(include_str!("../versions.toml"))
            .map_err(|error| Error::failed("understand versions.toml", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_can_be_read() {
        let versions = Versions::pinned().unwrap();
        assert_eq!(versions.debian.release, "bookworm");
        assert!(versions.debian.node.is_sorted());
    }
}
