//! `status.history`: the recorded versions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{View, whole_seconds};
use crate::crd::status::HistoryEntry;
use crate::memory::outcome::Outcome;
use crate::memory::record::Record;
use crate::version::{revision, short};

/// Maximum number of versions shown: the status must stay small, whatever `history.limit` keeps.
const MOST: usize = 20;

/// Newest first.
pub(super) fn history(view: &View<'_>) -> Vec<HistoryEntry> {
    let mut records: Vec<&Record> = view.observed.records.values().collect();
    records.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    records.into_iter().take(MOST).map(|record| entry(view, record)).collect()
}

fn entry(view: &View<'_>, record: &Record) -> HistoryEntry {
    let version = &record.facts.version;
    let serves = view.target.in_place.is_some() && super::serving(view).as_ref() == Some(version);
    let Outcome { state, reason, trigger, seconds, .. } = Outcome::of(record, view.ledger, serves);
    let source = record.source();
    let ready_at = view.ledger.versions.get(version).and_then(|life| life.ready_at);
    HistoryEntry {
        version: short(version),
        state: state.word().to_owned(),
        source: revision(&source.digest).to_owned(),
        reference: Some(source.reference).filter(|reference| !reference.is_empty()),
        message: source.message,
        author: source.author,
        committed_at: source.committed_at.map(whole_seconds).map(Time),
        trigger: trigger.as_ref().map(|trigger| trigger.cause),
        by: trigger.and_then(|trigger| trigger.by),
        created_at: record.created.map(whole_seconds).map(Time),
        ready_at: ready_at.map(whole_seconds).map(Time),
        duration_seconds: seconds,
        reason,
    }
}
