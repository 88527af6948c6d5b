//! Images that are made when somebody asks for them the first time: tests of one framework need not wait for the images
//! of all the others.
//! Who asks while that image, or another one on the same packages, is being made, waits.

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

/// All recipes, and what was made of them so far.
pub(in crate::node) struct OnDemand {
    families: Vec<Family>,
    store: Store,
    made: Mutex<BTreeMap<String, Descriptor>>,
    /// One lock for each root file system.
    making: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
}

impl OnDemand {
    /// With a directory of images.
    pub(in crate::node) fn open(cache: PathBuf) -> Result<Self, Error> {
        let store = Store::open(cache)?;
        Ok(Self { families: families()?, store, made: Mutex::default(), making: Mutex::default() })
    }

    /// The image of a reference without host; none where no recipe is for it.
    pub(in crate::node) fn ensure(&self, reference: &str) -> Result<Option<Descriptor>, Error> {
        let recipe = self.families.iter().find_map(|family| family.recipe(reference).transpose());
        let Some((recipe, text)) = recipe.transpose()? else { return Ok(None) };
        let root = format!("{} {:?}", recipe.release, recipe.packages);
        let making = Arc::clone(locked(&self.making).entry(root).or_default());
        let _alone = locked(&making);
        // What needs the programs of the cluster is made when the cluster starts.
        let manifest = build::ensure(reference, &recipe, &text, &self.store, &Tools::default())?;
        locked(&self.made).insert(reference.to_owned(), manifest.clone());
        Ok(Some(manifest))
    }

    /// The manifest with this digest, if it was made for somebody.
    pub(in crate::node) fn with_digest(&self, digest: &str) -> Option<Descriptor> {
        locked(&self.made).values().find(|manifest| manifest.digest == digest).cloned()
    }
}

/// What one of them left when it panicked is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
