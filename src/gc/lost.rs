//! Which images of records the embedded registry does not have.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::references::References;
use super::registry::{Error, Registry};
use crate::protocol::lost_list::{LostList, MOST};

/// Most images of one namespace in a list.
const OF_NAMESPACE: usize = 200;

/// Looks for every image that a record names in this registry. `host` is how records name it. An image about which the registry
/// does not answer clearly is not lost.
pub(super) async fn find(
    registry: &Registry,
    references: &References,
    host: &str,
    seen: Timestamp,
) -> Result<LostList, Error> {
    let mut list = LostList { seen, ..LostList::default() };
    let mut listed: BTreeMap<String, usize> = BTreeMap::new();
    for image in references.images() {
        if list.images.len() >= MOST {
            break;
        }
        let Some((repository, digest)) = of_host(image, host) else { continue };
        let namespace = repository.split('/').next().unwrap_or_default().to_owned();
        let of_namespace = listed.entry(namespace).or_insert(0);
        if *of_namespace >= OF_NAMESPACE {
            continue; // Names of one tenant must not fill the list.
        }
        match registry.digest(repository, digest).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                tracing::warn!(image, "the registry does not have the image of a record");
                list.images.insert(image.to_owned());
                *of_namespace += 1;
            }
            Err(Error::Answer { what, why }) => tracing::warn!(what, why, "cannot look for an image"),
            Err(error) => return Err(error),
        }
    }
    Ok(list)
}

/// Repository and digest of an image of this registry.
fn of_host<'a>(image: &'a str, host: &str) -> Option<(&'a str, &'a str)> {
    image.strip_prefix(host)?.strip_prefix('/')?.split_once('@')
}

#[cfg(test)]
mod tests {
    use super::of_host;

    #[test]
    fn images_of_other_registries_are_not_looked_for() {
        let image = "localhost:30050/n/shop@sha256:1";
        assert_eq!(of_host(image, "localhost:30050"), Some(("n/shop", "sha256:1")));
        assert_eq!(of_host("registry.example.org/n/shop@sha256:1", "localhost:30050"), None);
        assert_eq!(of_host("localhost:300501/n/shop@sha256:1", "localhost:30050"), None);
    }
}
