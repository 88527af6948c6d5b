//! Makes the images of the cluster from recipes, because nothing can be pulled, and keeps them in the cache.
//! `serve` serves them.

mod build;
mod family;
mod layer;
mod on_demand;
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
use family::Family;
use recipe::Recipe;
use store::Store;

pub(super) use on_demand::OnDemand;
pub(super) use operator::REFERENCE as OPERATOR;
pub(super) use store::Descriptor;

/// Names and locations of the images that exist when the node starts.
#[derive(Debug)]
pub(super) struct Images {
    /// Manifests by reference.
    pub(super) manifests: BTreeMap<String, Descriptor>,
    /// Directories of blobs.
    pub(super) blobs: Vec<PathBuf>,
    /// The registries whose images recipes can make.
    pub(super) registries: BTreeSet<String>,
    /// Directory for images that are made on demand.
    pub(super) cache: PathBuf,
}

/// The image whose container holds a pod's namespaces.
pub(super) const PAUSE: &str = "docker.io/library/busybox:1.37";
/// The image that builds images.
pub(super) const BUILDKIT: &str = "docker.io/moby/buildkit:v0.33.1-rootless";

/// Images that every cluster or nearly every run of the node tests needs. They are made at the start, because making
/// several together takes less time. All others are made on the first request.
const AT_ONCE: [&str; 10] = [
    PAUSE,
    BUILDKIT,
    "docker.io/moby/buildkit:v0.33.1",
    "docker.io/library/registry:3",
    "docker.io/library/node:22-bookworm-slim",
    "docker.io/library/nginx:1.28",
    "docker.io/library/python:3.11-slim-bookworm",
    "docker.io/library/debian:bookworm-slim",
    "docker.io/library/golang:1.26-bookworm",
    "docker.io/library/rust:1-bookworm",
];

const RECIPES: [(&str, &str); 18] = [
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
    ("bun", include_str!("../../images/bun.toml")),
    ("deno", include_str!("../../images/deno.toml")),
    ("python-pyenv", include_str!("../../images/python-pyenv.toml")),
    ("eclipse-temurin", include_str!("../../images/eclipse-temurin.toml")),
    ("maven", include_str!("../../images/maven.toml")),
    ("php", include_str!("../../images/php.toml")),
    ("ruby", include_str!("../../images/ruby.toml")),
    ("elixir", include_str!("../../images/elixir.toml")),
];

/// Makes the images that the cache lacks, and the operator's own image from the current sources.
pub(super) fn ensure(paths: &Paths, tools: &Tools) -> Result<Images, Error> {
    let dir = cache(paths);
    let cache = Store::open(dir.clone())?;
    let families = families()?;
    let recipes = AT_ONCE.map(|reference| recipe(&families, reference).map(|found| (reference, found)));
    let recipes = recipes.into_iter().collect::<Result<Vec<_>, Error>>()?;
    make_roots(recipes.iter().map(|(_, (recipe, _))| recipe), &cache)?;
    let mut manifests = BTreeMap::new();
    for (reference, (recipe, text)) in &recipes {
        manifests.insert((*reference).to_owned(), build::ensure(reference, recipe, text, &cache, tools)?);
    }
    // The operator's image changes with every edit, so it belongs to the cluster and not to the cache.
    let own = Store::open(paths.component("images")?)?;
    manifests.insert(OPERATOR.to_owned(), operator::build(&own)?);
    let listed = families.iter().flat_map(Family::listed).chain([OPERATOR.to_owned()]);
    let registries = listed.filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
    Ok(Images { manifests, blobs: vec![own.blobs(), cache.blobs()], registries, cache: dir })
}

/// The directory of images that all clusters share.
fn cache(paths: &Paths) -> PathBuf {
    paths.cache().join("images")
}

/// Makes one image if the cache lacks it, and returns its digest.
pub fn make(paths: &Paths, reference: &str, tools: &Tools) -> Result<String, Error> {
    let (recipe, text) = recipe(&families()?, reference)?;
    Ok(build::ensure(reference, &recipe, &text, &Store::open(cache(paths))?, tools)?.digest)
}

/// The references that recipes list.
pub fn listed() -> Result<Vec<String>, Error> {
    Ok(families()?.iter().flat_map(Family::listed).collect())
}

fn families() -> Result<Vec<Family>, Error> {
    RECIPES.into_iter().map(|(name, text)| Family::parse(name, text)).collect()
}

fn recipe(families: &[Family], reference: &str) -> Result<(Recipe, String), Error> {
    let none = || Error::failed(format!("make the image {reference}"), "no recipe in images/ makes it");
    families.iter().find_map(|family| family.recipe(reference).transpose()).unwrap_or_else(|| Err(none()))
}

/// Makes the missing root file systems in parallel: each waits half of its time for downloads.
fn make_roots<'a>(recipes: impl Iterator<Item = &'a Recipe>, cache: &Store) -> Result<(), Error> {
    let roots: BTreeSet<_> =
        recipes.filter_map(|recipe| Some((recipe.release.as_str(), recipe.packages.as_deref()?))).collect();
    thread::scope(|scope| {
        let makers: Vec<_> = roots
            .into_iter()
            .map(|(release, packages)| scope.spawn(move || root::ensure(release, packages, cache)))
            .collect();
        makers.into_iter().try_for_each(|maker| match maker.join() {
            Ok(made) => made.map(drop),
            Err(_) => {
                Err(Error::failed("make the root file systems of the images", "one of the threads panicked"))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_parses_and_no_two_have_the_same_name() {
        let all = listed().unwrap();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let families = families().unwrap();
        for reference in all.iter().map(String::as_str).chain(AT_ONCE) {
            recipe(&families, reference).unwrap();
        }
        let error = recipe(&families, "docker.io/library/cobol:85").unwrap_err().to_string();
        assert!(error.contains("cobol:85") && error.contains("no recipe"), "{error}");
    }
}
