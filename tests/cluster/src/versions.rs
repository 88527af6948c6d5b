//! The pins besides the Go programs: the Debian packages. It installs nothing.

use serde::Deserialize;

use crate::Error;

/// The contents of `versions.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Packages from Debian.
    pub debian: Debian,
}

/// Packages of one Debian release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Debian {
    /// The release that they come from.
    pub release: String,
    /// Packages that tests need, in both modes.
    pub control_plane: Vec<String>,
    /// Packages that a node needs in addition.
    pub node: Vec<String>,
}

impl Versions {
    /// The pins compiled into this launcher.
    pub fn pinned() -> Result<Self, Error> {
        toml::from_str(include_str!("../versions.toml"))
            .map_err(|error| Error::failed("parse versions.toml", error))
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
