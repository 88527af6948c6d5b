//! What the operator remembers about a project, read from its `ControllerRevision`s. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt as _;

use crate::desired::names;
use crate::memory::ledger::Ledger;
use crate::memory::lost_images::set_apart;
use crate::memory::record::Record;
use crate::memory::revisions;
use crate::version::short;

/// The records of a project by version, and its ledger.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The records by their whole version.
    pub records: BTreeMap<String, Record>,
    /// The ledger; the default without one.
    pub ledger: Ledger,
}

/// An argument that does not select one version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{argument:?} matches {}. Available versions: {available}", if *.several { "more than one version" } else { "no version" })]
pub struct Unknown {
    /// What the person typed.
    pub argument: String,
    /// Whether it matches more than one version.
    pub several: bool,
    /// What could be typed instead.
    pub available: String,
}

impl Remembered {
    /// Reads the `ControllerRevision`s that belong to the project with this uid. Others are left out.
    pub fn read<'a>(objects: impl IntoIterator<Item = &'a ControllerRevision>, uid: &str) -> Self {
        let (mut records, mut ledger) = (BTreeMap::new(), None);
        for object in objects {
            let is =
                |label: &str, value: &str| object.labels().get(label).is_some_and(|there| there == value);
            if !is(names::UID, uid) {
                continue;
            }
            if is(names::ROLE, names::ROLE_LEDGER) {
                ledger = revisions::read_ledger(object);
            } else if let Some(record) = revisions::read(object) {
                records.insert(record.facts.version.clone(), record);
            }
        }
        let records = set_apart(records, ledger.as_ref());
        Self { records, ledger: ledger.unwrap_or_default() }
    }

    /// The record that a person names by its version or the beginning of it, with or without the `v`.
    pub fn find(&self, argument: &str) -> Result<&Record, Unknown> {
        let prefix = argument.trim_start_matches('v');
        let mut matches = self.records.values().filter(|record| record.facts.version.starts_with(prefix));
        match (matches.next(), matches.next()) {
            (Some(record), None) if !prefix.is_empty() => Ok(record),
            (_, second) => {
                let names: Vec<String> =
                    self.newest_first().iter().map(|record| short(&record.facts.version)).collect();
                let available = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
                Err(Unknown { argument: argument.to_owned(), several: second.is_some(), available })
            }
        }
    }

    /// The records, newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<&Record> {
        let mut records: Vec<&Record> = self.records.values().collect();
        records.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
        records
    }
}
