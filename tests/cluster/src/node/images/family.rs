//! One recipe for several images: their references, and the version of each tag. It makes nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::recipe::Recipe;
use crate::Error;

/// The placeholder for the tag in a reference.
const TAG: &str = "{tag}";
/// The value that an exact version replaces.
const VERSION: &str = "version";

/// A file of `images/`.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    head: Head,
    /// The rest: a recipe in which `{name}` is a placeholder for a value of the version.
    body: String,
}

/// The part of the file about names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Names of the image; `{tag}` is a placeholder for each of the tags.
    references: Vec<String>,
    /// Values of each tag.
    #[serde(default)]
    versions: BTreeMap<String, BTreeMap<String, String>>,
    /// A tag `1.2.3` or `1.2` that is not listed means exactly that `version`. Its other values come from the listed
    /// tag with fewer numbers.
    #[serde(default)]
    exact: bool,
}

impl Family {
    /// Reads a file.
    pub(super) fn parse(name: &'static str, text: &str) -> Result<Self, Error> {
        let fail = |error: &dyn std::fmt::Display| Error::failed(format!("parse images/{name}.toml"), error);
        let mut body: toml::Table = toml::from_str(text).map_err(|error| fail(&error))?;
        let head = ["references", "versions", "exact"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), body.remove(key)?)))
            .collect::<toml::Table>();
        let head: Head = head.try_into().map_err(|error| fail(&error))?;
        let body = toml::to_string(&body).map_err(|error| fail(&error))?;
        let family = Self { name, head, body };
        // Check all listed images now, so that a mistake in the file fails here and not when one is requested.
        for reference in family.listed() {
            family.recipe(&reference)?;
        }
        Ok(family)
    }

    /// The references that the file lists.
    pub(super) fn listed(&self) -> Vec<String> {
        let mut all = Vec::new();
        for reference in &self.head.references {
            if reference.contains(TAG) {
                all.extend(self.head.versions.keys().map(|tag| reference.replace(TAG, tag)));
            } else {
                all.push(reference.clone());
            }
        }
        all
    }

    /// The recipe of an image, and its text, which is the same for all names of one image. `None` if the image belongs
    /// to another family. `reference` may lack the host.
    pub(super) fn recipe(&self, reference: &str) -> Result<Option<(Recipe, String)>, Error> {
        let Some(values) = self.head.references.iter().find_map(|pattern| self.values(pattern, reference))
        else {
            return Ok(None);
        };
        let text = values
            .iter()
            .fold(self.body.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        let recipe = toml::from_str(&text).map_err(|error| {
            Error::failed(format!("parse images/{}.toml for {reference}", self.name), error)
        })?;
        Ok(Some((recipe, text)))
    }

    fn values(&self, pattern: &str, reference: &str) -> Option<BTreeMap<String, String>> {
        let without_host = pattern.split_once('/').map_or(pattern, |(_, path)| path);
        [pattern, without_host].into_iter().find_map(|pattern| {
            let Some((before, after)) = pattern.split_once(TAG) else {
                return (pattern == reference).then(BTreeMap::new);
            };
            self.values_of_tag(reference.strip_prefix(before)?.strip_suffix(after)?)
        })
    }

    fn values_of_tag(&self, tag: &str) -> Option<BTreeMap<String, String>> {
        if let Some(values) = self.head.versions.get(tag) {
            return Some(values.clone());
        }
        let is_exact = self.head.exact && tag.split('.').all(|number| number.parse::<u32>().is_ok());
        let mut listed = tag;
        let mut values = loop {
            listed = listed.rsplit_once('.').filter(|_| is_exact)?.0;
            if let Some(values) = self.head.versions.get(listed) {
                break values.clone();
            }
        };
        values.insert(VERSION.to_owned(), tag.to_owned());
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> Family {
        let text = r#"
            references = ["docker.io/library/tool:{tag}-slim", "docker.io/tool/tool:{tag}"]
            exact = true
            npm = [{ package = "tool@{version}", from = "a", to = "b" }, { package = "more@{more}", from = "a", to = "b" }]
            config = {}
            [versions]
            "2" = { version = "2.9.1", more = "7" }
            "lts" = { version = "2.9.1", more = "7" }
        "#;
        Family::parse("tool", text).unwrap()
    }

    fn packages(reference: &str) -> Option<Vec<String>> {
        let (recipe, _) = family().recipe(reference).unwrap()?;
        Some(recipe.npm.into_iter().map(|npm| npm.package).collect())
    }

    #[test]
    fn every_tag_has_its_version_and_one_image_has_several_names() {
        let listed = family().listed();
        assert_eq!(listed.len(), 4);
        let texts = listed.iter().map(|reference| family().recipe(reference).unwrap().unwrap().1);
        assert_eq!(texts.collect::<std::collections::BTreeSet<_>>().len(), 1);
        assert_eq!(packages("library/tool:2-slim").unwrap(), ["tool@2.9.1", "more@7"]);
    }

    #[test]
    fn an_unlisted_exact_tag_means_exactly_that_version() {
        assert_eq!(packages("docker.io/tool/tool:2.3.4").unwrap(), ["tool@2.3.4", "more@7"]);
        assert_eq!(packages("docker.io/tool/tool:2.3").unwrap(), ["tool@2.3", "more@7"]);
        for other in ["docker.io/tool/tool:3", "docker.io/tool/tool:3.2", "docker.io/tool/tool:2.3.x", "else"]
        {
            assert_eq!(packages(other), None, "{other}");
        }
    }
}
