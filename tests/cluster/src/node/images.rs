//! The images of the cluster, made from recipes because nothing can be pulled, and kept in the cache.
//! It serves none of them: that is `serve`.

mod build;
mod layer;
mod operator;
mod recipe;
mod root;
mod store;
mod toolchain;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    thread,
};

use crate::{Error, Paths, Tools};
use recipe::Recipe;
use store::Store;

pub(super) use operator::REFERENCE as OPERATOR;
pub(super) use store::Descriptor;

/// Names and places of all images.
#[derive(Debug)]
pub(super) struct Images {
    /// What each reference means.
    pub(super) manifests: BTreeMap<String, Descriptor>,
    /// Directories of blobs.
    pub(super) blobs: Vec<PathBuf>,
}

/// The image whose container holds a pod's namespaces.
pub(super) const PAUSE: &str = "docker.io/library/busybox:1.37";
/// The image that builds images.
pub(super) const BUILDKIT: &str = "docker.io/moby/buildkit:v0.33.1-rootless";

const RECIPES: [(&str, &str); 10] = [
    ("busybox", include_str!("../../images/busybox.toml")),
    ("registry", include_str!("../../images/registry.toml")),
    ("node", include_str!("../../images/node.toml")),
    ("nginx", include_str!("../../images/nginx.toml")),
    ("buildkit", include_str!("../../images/buildkit.toml")),
    ("buildkit-rootful", include_str!("../../images/buildkit-rootful.toml")),
    ("python", include_str!("../../images/python.toml")),
    ("debian", include_str!("../../images/debian.toml")),
    ("golang", include_str!("../../images/golang.toml")),
    ("rust", include_str!("../../images/rust.toml")),
];

/// Makes what the cache does not have, and the operator's own image from the sources as they are now.
pub(super) fn ensure(paths: &Paths, tools: &Tools) -> Result<Images, Error> {
    let cache = Store::open(paths.cache().join("images"))?;
    let recipes = RECIPES.map(|(name, text)| Recipe::parse(name, text).map(|recipe| (recipe, text)));
    let recipes = recipes.into_iter().collect::<Result<Vec<_>, Error>>()?;
    make_roots(recipes.iter().filter_map(|(recipe, _)| recipe.packages.as_deref()).collect(), &cache)?;
    let mut manifests = BTreeMap::new();
    for (recipe, text) in &recipes {
        manifests.insert(recipe.reference.clone(), build::ensure(recipe, text, &cache, tools)?);
    }
    // The operator's image changes with every edit, so it lives and goes with the cluster.
    let own = Store::open(paths.component("images")?)?;
    manifests.insert(OPERATOR.to_owned(), operator::build(&own)?);
    Ok(Images { manifests, blobs: vec![own.blobs(), cache.blobs()] })
}

/// Makes the root file systems that are missing, side by side: each spends half of its time waiting for a download.
fn make_roots(packages: BTreeSet<&[String]>, cache: &Store) -> Result<(), Error> {
    thread::scope(|scope| {
        let makers: Vec<_> =
            packages.into_iter().map(|packages| scope.spawn(|| root::ensure(packages, cache))).collect();
        makers.into_iter().try_for_each(|maker| match maker.join() {
            Ok(made) => made.map(drop),
            Err(_) => {
                Err(Error::failed("make the root file systems of the images", "one of the makers panicked"))
            }
        })
    })
}

impl Images {
    /// The registries that the references name.
    pub(super) fn registries(&self) -> BTreeSet<String> {
        self.manifests
            .keys()
            .filter_map(|reference| reference.split_once('/'))
            .map(|(host, _)| host.to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_can_be_read_and_the_named_images_are_among_them() {
        let references: BTreeSet<String> =
            RECIPES.iter().map(|(name, text)| Recipe::parse(name, text).unwrap().reference).collect();
        assert_eq!(references.len(), RECIPES.len());
        assert!(references.contains(PAUSE) && references.contains(BUILDKIT));
    }
}
