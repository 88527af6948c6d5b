//! Makes an image on its first request, so that tests of one framework do not wait for the images of all others.
//! A request waits while that image, or another one with the same packages, is being made.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    build, families,
    family::Family,
    store::{Descriptor, Store},
};
use crate::{Error, Tools};

/// All recipes, and the images made from them so far.
pub(in crate::node) struct OnDemand {
    families: Vec<Family>,
    store: Store,
    made: Mutex<BTreeMap<String, Descriptor>>,
    /// One lock for each root file system.
    making: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
}

impl OnDemand {
    /// Opens a directory of images.
    pub(in crate::node) fn open(cache: PathBuf) -> Result<Self, Error> {
        let store = Store::open(cache)?;
        Ok(Self { families: families()?, store, made: Mutex::default(), making: Mutex::default() })
    }

    /// Returns the image of a reference without host; `None` if no recipe makes it.
    pub(in crate::node) fn ensure(&self, reference: &str) -> Result<Option<Descriptor>, Error> {
        let recipe = self.families.iter().find_map(|family| family.recipe(reference).transpose());
        let Some((recipe, text)) = recipe.transpose()? else { return Ok(None) };
        let root = format!("{} {:?}", recipe.release, recipe.packages);
        let making = Arc::clone(locked(&self.making).entry(root).or_default());
        let _alone = locked(&making);
        // No tools: images that need programs of the cluster are made when the cluster starts.
        let manifest = build::ensure(reference, &recipe, &text, &self.store, &Tools::default())?;
        locked(&self.made).insert(reference.to_owned(), manifest.clone());
        Ok(Some(manifest))
    }

    /// The manifest with this digest, if it was made on demand.
    pub(in crate::node) fn with_digest(&self, digest: &str) -> Option<Descriptor> {
        locked(&self.made).values().find(|manifest| manifest.digest == digest).cloned()
    }
}

/// Ignores poisoning: the data stays valid when a thread panics.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
