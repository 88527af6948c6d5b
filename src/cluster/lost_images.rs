//! The ConfigMap with the images that the embedded registry lost: the sweep writes it, and a watch of the operator reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;

use super::Error;
use crate::protocol::lost_list::{LostList, Place};

/// The field manager of the sweep.
const SWEEP: &str = "doce-sweep";

/// Writes the list, unless there is nothing to say and nothing to take back.
pub async fn publish(client: Client, place: &Place, list: &LostList) -> Result<(), Error> {
    let api: Api<ConfigMap> = Api::namespaced(client, &place.namespace);
    let what = format!("write ConfigMap {}", place.name);
    let there = api.get_opt(&place.name).await.map_err(|error| Error::sort(&what, error))?;
    let before = there.and_then(|map| map.data).map(|data| LostList::of_data(&data)).unwrap_or_default();
    if list.images.is_empty() && before.images.is_empty() {
        return Ok(());
    }
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": place.name }, "data": list.to_data(),
    });
    let params = PatchParams::apply(SWEEP).force();
    api.patch(&place.name, &params, &Patch::Apply(map)).await.map_err(|error| Error::sort(&what, error))?;
    Ok(())
}

/// The last list, as the watch reported it.
#[derive(Debug, Default)]
pub struct LostImages {
    list: Mutex<LostList>,
}

impl LostImages {
    /// When the sweep saw that the registry does not have this image.
    pub fn seen(&self, reference: &str) -> Option<Timestamp> {
        let list = self.lock();
        list.images.contains(reference).then_some(list.seen)
    }

    /// How many images it names.
    pub fn held(&self) -> usize {
        self.lock().images.len()
    }

    /// Applies a watch event. Returns the namespaces whose projects may have lost an image: repositories of the embedded
    /// registry begin with their namespace.
    pub(super) fn heard(&self, event: watcher::Event<ConfigMap>) -> BTreeSet<String> {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        let list = match event {
            Apply(map) | InitApply(map) => LostList::of_data(&map.data.unwrap_or_default()),
            Delete(_) => LostList::default(),
            Init | InitDone => return BTreeSet::new(),
        };
        let namespaces = list.images.iter().filter_map(|image| image.split('/').nth(1).map(str::to_owned));
        let namespaces = namespaces.collect();
        *self.lock() = list;
        namespaces
    }

    fn lock(&self) -> MutexGuard<'_, LostList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The images of these references that are in the list, with the time when the sweep saw it.
pub fn listed<'a>(
    lost: &LostImages,
    references: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, Timestamp> {
    references.filter_map(|reference| Some((reference.clone(), lost.seen(reference)?))).collect()
}
