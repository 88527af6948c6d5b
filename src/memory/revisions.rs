//! Converts records and the ledger to ControllerRevisions and back.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::{Resource, ResourceExt as _};
use serde_json::json;

use crate::desired::{meta, names};
use crate::memory::ledger::Ledger;
use crate::memory::record::{Facts, ImageFact, Record};
use crate::project::Project;

/// A new record as an object. `number` orders records for people who list ControllerRevisions.
#[must_use]
pub fn create(
    project: &Project,
    facts: &Facts,
    image: Option<&ImageFact>,
    number: i64,
) -> ControllerRevision {
    let mut metadata =
        meta::child(project, &names::record(&project.name, &facts.version), names::ROLE_RECORD);
    let image = image.map(|image| (names::IMAGE.to_owned(), text(image)));
    // Only the sweep reads it: it sees no data of records.
    let source =
        project.source.oci.is_some().then(|| (names::SOURCE.to_owned(), facts.source.digest.clone()));
    let annotations: BTreeMap<String, String> = image.into_iter().chain(source).collect();
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    ControllerRevision { metadata, data: Some(RawExtension(json!(facts))), revision: number }
}

/// The ledger as an object.
#[must_use]
pub fn ledger(project: &Project, ledger: &Ledger) -> ControllerRevision {
    let mut metadata = meta::child(project, &project.name, names::ROLE_LEDGER);
    metadata.annotations = Some(BTreeMap::from([(names::LEDGER.to_owned(), text(ledger))]));
    ControllerRevision { metadata, data: Some(RawExtension(json!({}))), revision: 0 }
}

/// Reads a record; `None` if it is corrupt.
#[must_use]
pub fn read(object: &ControllerRevision) -> Option<Record> {
    let facts: Facts = serde_json::from_value(object.data.as_ref()?.0.clone()).ok()?;
    Some(Record {
        name: object.name_any(),
        created: object.creation_timestamp().map(|time| time.0),
        image: object.annotations().get(names::IMAGE).and_then(|text| serde_json::from_str(text).ok()),
        facts,
        lost: None,
    })
}

/// Reads the ledger; `None` if it is corrupt.
#[must_use]
pub fn read_ledger(object: &ControllerRevision) -> Option<Ledger> {
    serde_json::from_str(object.annotations().get(names::LEDGER)?).ok()
}

/// Every digest of an image or artifact in a record or the ledger, searched in the text, so corrupt objects count too.
pub fn digests(object: &impl Resource) -> impl Iterator<Item = &str> {
    let annotations = object.annotations();
    let texts =
        [names::IMAGE, names::LEDGER, names::SOURCE].into_iter().filter_map(|name| annotations.get(name));
    texts.flat_map(|text| {
        text.match_indices("sha256:").filter_map(|(at, _)| {
            let digest = text.get(at..at + 71)?;
            digest[7..].bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digest)
        })
    })
}

/// The text of an annotation.
pub fn text<T: serde::Serialize>(value: &T) -> String {
    json!(value).to_string()
}
