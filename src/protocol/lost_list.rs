//! The list of lost images, which the sweep writes into a ConfigMap and the operator reads.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Most images in one list: a ConfigMap holds 1 MiB. What is built again leaves it.
pub const MOST: usize = 2000;

/// Keys of the ConfigMap.
const SEEN: &str = "seen";
const IMAGES: &str = "images";

/// Namespace and name of the ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its namespace, that of the release.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.split_once('/').ok_or("it must be namespace/name")?;
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// Images of records that the embedded registry does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostList {
    /// When the sweep began to look.
    pub seen: Timestamp,
    /// References by digest, as records name them.
    pub images: BTreeSet<String>,
}

impl LostList {
    /// The content of the ConfigMap.
    #[must_use]
    pub fn to_data(&self) -> BTreeMap<String, String> {
        let images: Vec<&str> = self.images.iter().map(String::as_str).take(MOST).collect();
        BTreeMap::from([(SEEN.to_owned(), self.seen.to_string()), (IMAGES.to_owned(), images.join("\n"))])
    }

    /// Reads the ConfigMap. Content that is not a list is an empty one.
    #[must_use]
    pub fn of_data(data: &BTreeMap<String, String>) -> Self {
        let Some(seen) = data.get(SEEN).and_then(|text| text.parse().ok()) else { return Self::default() };
        let lines = data.get(IMAGES).map(String::as_str).unwrap_or_default().lines();
        let images = lines.filter(|line| !line.is_empty()).take(MOST).map(str::to_owned);
        Self { seen, images: images.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_anything_else_is_an_empty_one() {
        let images = BTreeSet::from(["reg/n/a@sha256:1".to_owned(), "reg/n/b@sha256:2".to_owned()]);
        let list = LostList { seen: Timestamp::from_second(1_800_000_000).unwrap(), images };
        assert_eq!(LostList::of_data(&list.to_data()), list);
        assert_eq!(LostList::of_data(&LostList::default().to_data()).images, BTreeSet::new());
        let broken =
            BTreeMap::from([("seen".to_owned(), "noon".to_owned()), ("images".to_owned(), "a".to_owned())]);
        assert_eq!(LostList::of_data(&broken), LostList::default());
    }
}
