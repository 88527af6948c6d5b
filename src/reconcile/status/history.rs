//! `status.history`: the recorded versions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{View, whole_seconds};
use crate::crd::conditions::Reason;
use crate::crd::status::HistoryEntry;
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
    let life = view.ledger.state(version);
    let attempts = record.facts.key.as_deref().map(|key| view.ledger.attempts(key)).unwrap_or_default();
    let serves = view.target.in_place.is_some() && super::serving(view).as_ref() == Some(version);
    let no_image = record.named_image().is_none();
    let refused = record.wants_root_in_vain();
    let state = match () {
        () if no_image && attempts.cancelled => "Cancelled",
        () if no_image && attempts.failed.is_some() || life.failed.is_some() || refused => "Failed",
        () if no_image => "Building",
        () if serves && life.live.is_some() => "Serving",
        () if life.live.is_some() => "Live",
        () => "Built",
    };
    let failed = life.failed.or_else(|| attempts.failed.filter(|_| no_image));
    let source = record.source();
    let trigger = life.trigger.or_else(|| record.facts.trigger.clone());
    HistoryEntry {
        version: short(version),
        state: state.to_owned(),
        source: revision(&source.digest).to_owned(),
        reference: Some(source.reference).filter(|reference| !reference.is_empty()),
        message: source.message,
        author: source.author,
        committed_at: source.committed_at.map(whole_seconds).map(Time),
        trigger: trigger.as_ref().map(|trigger| trigger.cause),
        by: trigger.and_then(|trigger| trigger.by),
        created_at: record.created.map(whole_seconds).map(Time),
        ready_at: life.ready_at.map(whole_seconds).map(Time),
        duration_seconds: record
            .created
            .zip(life.ready_at)
            .map(|(from, to)| to.as_second() - from.as_second()),
        reason: failed
            .map(|failed| failed.reason)
            .or_else(|| refused.then(|| Reason::ImageRunsAsRoot.name().to_owned()))
            .or_else(|| record.lost.as_ref().map(|_| Reason::ImageLost.name().to_owned())),
    }
}
