//! The key of one build's connection to its builder pod, and the names that follow from it. Both pods of the build have
//! it in their specs, and no other pod has.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Environment variable of the build container and of the builder that holds the key.
pub const BUILDER_KEY_ENV: &str = "DOCE_BUILDER_KEY";

/// Environment variable of the builder that holds its [`BuilderSettings`], as JSON.
pub const BUILDER_SETTINGS_ENV: &str = "DOCE_BUILDER";

/// Port of a builder pod.
pub const BUILDER_PORT: u16 = 1234;

/// Port of a build pod that is open once it needs a builder.
pub const NEEDS_BUILDER_PORT: u16 = 1235;

/// A random number of 256 bits, drawn for one build Job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BuilderKey([u8; 32]);

/// An end of the connection. Each has a key pair of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The build pod.
    Build,
    /// The builder pod.
    Builder,
}

impl BuilderKey {
    /// Length of a key in bytes.
    pub const BYTES: usize = 32;

    /// The key with these random bytes.
    #[must_use]
    pub fn new(random: [u8; Self::BYTES]) -> Self {
        Self(random)
    }

    /// Parses what [`Self::text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The key as 64 hex digits. It opens the builder pod of this build.
    #[must_use]
    pub fn text(&self) -> String {
        hex::encode(self.0)
    }

    /// Name of the builder pod's Job and its host name. It does not reveal the key.
    #[must_use]
    pub fn name(&self) -> String {
        format!("builder-{}", hex::encode(&self.derive("name")[..10]))
    }

    /// The seed of the Ed25519 key pair of one end.
    #[must_use]
    pub fn seed(&self, side: Side) -> [u8; 32] {
        self.derive(match side {
            Side::Build => "build",
            Side::Builder => "builder",
        })
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let hash =
            Sha256::new().chain_update("doce builder key, ").chain_update(purpose).chain_update(self.0);
        hash.finalize().into()
    }
}

/// Without the key: it must not get into a log.
impl std::fmt::Debug for BuilderKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("BuilderKey").field(&self.name()).finish()
    }
}

/// What the daemon of a builder pod must know besides its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuilderSettings {
    /// Registries that speak plain HTTP, `host[:port]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plain_registries: Vec<String>,
    /// Mirror for docker.io, `host[:port]`, plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_stays_out_of_debug_output() {
        let key = BuilderKey::new([7; 32]);
        assert_eq!(BuilderKey::parse(&key.text()), Some(key));
        for wrong in ["", "07", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            assert_eq!(BuilderKey::parse(wrong), None, "{wrong}");
        }
        assert!(!format!("{key:?}").contains(&key.text()[..8]));
    }

    #[test]
    fn names_and_seeds_differ_by_key_and_side_and_do_not_contain_the_key() {
        let (key, other) = (BuilderKey::new([1; 32]), BuilderKey::new([2; 32]));
        assert_ne!(key.name(), other.name());
        assert_ne!(key.seed(Side::Build), key.seed(Side::Builder));
        assert_ne!(key.seed(Side::Build), other.seed(Side::Build));
        assert_eq!(key.name().len(), "builder-".len() + 20);
        assert!(!key.name().contains("0101"));
    }
}
