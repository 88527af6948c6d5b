//! Which recorded images are gone from their registry, as the ledger says. Pure data.

use std::collections::BTreeMap;

use crate::memory::ledger::Ledger;
use crate::memory::record::Record;

/// The records, with each image that is gone from its registry in `lost` instead of `image`: no pod starts with it, and it
/// has to be built again.
#[must_use]
pub fn set_apart(mut records: BTreeMap<String, Record>, ledger: Option<&Ledger>) -> BTreeMap<String, Record> {
    let Some(ledger) = ledger else { return records };
    for record in records.values_mut() {
        let attempts = record.facts.key.as_ref().and_then(|key| ledger.builds.get(key));
        let lost = attempts.and_then(|attempts| attempts.lost.as_ref());
        if lost.is_some() && record.image.as_ref().map(|image| &image.reference) == lost {
            record.lost = record.image.take();
        }
    }
    records
}
