//! What the OCI distribution API fixes for every client of a registry: media types, limits, and which names are safe in a
//! URL. Pure. The clients differ in whom they trust: `builder::http` checks every address, because strangers name the
//! host; `gc::registry` reaches only the embedded registry (docs/decisions/0056).

use serde::Deserialize;

/// Media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index of several platforms.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Every media type of a manifest or an index, for the header Accept.
pub const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                             application/vnd.docker.distribution.manifest.list.v2+json, \
                             application/vnd.docker.distribution.manifest.v2+json";
/// Header with the digest of a manifest.
pub const DIGEST: &str = "docker-content-digest";
/// Largest answer in bytes: registries accept manifests of at most 4 MiB.
pub const LARGEST: usize = 4 << 20;

/// One page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Names of repositories.
    pub repositories: Option<Vec<String>>,
    /// Tags of a repository.
    pub tags: Option<Vec<String>>,
}

/// Whether a text is the SHA-256 of something, in lower case.
#[must_use]
pub fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text is a digest of the only algorithm in use.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_sum)
}

/// Whether a tag is safe in a URL without escapes.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&tag.len()) && !tag.starts_with('.') && tag.bytes().all(plain)
}

/// Whether the name of a repository is safe in a URL without escapes.
#[must_use]
pub fn is_repository(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    name.len() <= 255
        && name.split('/').all(|part| !part.starts_with('.') && !part.is_empty() && part.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_change_the_meaning_of_a_url_are_rejected() {
        for tag in ["", ".hidden", "a/b", "a?b", "a%2fb", "ä", &"t".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
        for name in ["", "/", "a//b", "a/../b", ".git/x", "A/b", "a b", &"n".repeat(256)] {
            assert!(!is_repository(name), "{name}");
        }
        assert!(is_tag("v1.0_rc-1") && is_repository("tenant/shop-1_a.b"));
    }

    #[test]
    fn only_a_complete_sha256_is_a_digest() {
        let sum = "0123456789abcdef".repeat(4);
        assert!(is_sum(&sum) && is_digest(&format!("sha256:{sum}")));
        for digest in [sum.clone(), format!("sha256:{}", &sum[1..]), format!("sha256:{}", sum.to_uppercase())]
        {
            assert!(!is_digest(&digest), "{digest}");
        }
    }
}
