//! What people read about an image that is gone from its registry.

use super::View;
use super::building::{building, job_of};
use super::headline::{Headline, annotate, stays};
use crate::crd::conditions::{Reason, Truth};
use crate::crd::spec::Takeover;
use crate::memory::record::Record;
use crate::protocol::build_target::BuildTarget;
use crate::reconcile::target::rebuildable;
use crate::version::short;

/// The target's image is gone. `None` if its pods run all the same: their nodes still have it, so it serves.
pub(super) fn headline(view: &View<'_>, record: &Record) -> Option<Headline> {
    let version = &record.facts.version;
    if serves(view, version) {
        return None;
    }
    let gone = format!("The image of {} is gone from its registry", short(version));
    if !rebuildable(view.project, view.observed, record) {
        let message = format!("{gone}{}. {}", stays(view), way_out(view, record));
        return Some(Headline::stalled(Reason::ImageLost, message));
    }
    let key = record.facts.key.as_deref()?;
    let attempts = view.ledger.attempts(key);
    let job = job_of(view, &BuildTarget::Key(key.to_owned()), attempts.attempt);
    let build = building(view, &attempts, job, &short(version), Some(version));
    let message = format!("{gone}, so it is built again. {}", build.message);
    let reason = if build.stalled { build.reason } else { Reason::ImageLost };
    Some(Headline { ready: Truth::False, reason, message, ..build })
}

/// Its pods run: only new ones, or other nodes, would miss the image.
fn serves(view: &View<'_>, version: &str) -> bool {
    let rollout = view.observed.rollout.as_ref();
    rollout.is_some_and(|rollout| {
        rollout.version.as_deref() == Some(version) && rollout.current && rollout.available
    })
}

/// What people should know about a version that serves although its image is gone.
pub(super) fn note(view: &View<'_>, version: &str) -> String {
    let Some(record) = view.observed.records.get(version).filter(|record| record.lost.is_some()) else {
        return String::new();
    };
    let gone = ". Its image is gone from its registry, so a pod on a node without the image cannot start.";
    if !rebuildable(view.project, view.observed, record) {
        return format!("{gone} {}", way_out(view, record));
    }
    let attempts = record.facts.key.as_deref().map(|key| view.ledger.attempts(key)).unwrap_or_default();
    let rebuild = match (&attempts.failed, &attempts.fault) {
        (Some(failed), _) => {
            let retry = annotate(view.project, "retry", "@$(date +%s)");
            format!("It is not built again: {}. Build it: {retry}", failed.message)
        }
        (None, Some(fault)) => {
            format!("It is being built again. The last attempt failed: {}", fault.failure.message)
        }
        _ if view.project.rollout.strategy == Takeover::Replace => {
            "It is built again when a pod needs it, because spec.rollout.strategy: Replace would end the pods that run"
                .to_owned()
        }
        _ => "It is being built again".to_owned(),
    };
    format!("{gone} {rebuild}")
}

/// The image of the version to roll back to is gone.
pub(super) fn rollback(view: &View<'_>, version: &str) -> String {
    let gone = format!("The image of {} is gone from its registry", short(version));
    let command = annotate(view.project, "rollback", &format!("{}@$(date +%s)", short(version)));
    let Some(record) = view.observed.records.get(version) else { return gone };
    if !rebuildable(view.project, view.observed, record) {
        return format!(
            "{gone}, and spec.source or spec.build has changed since. Set them back to build it again. Or push the image again, and \
             roll back with a retry: {command} doce.dev/retry=\"@$(date +%s)\""
        );
    }
    format!("{gone}. Roll back to it after a new build: {command}")
}

/// What a person can do about an image that the spec no longer describes.
fn way_out(view: &View<'_>, record: &Record) -> String {
    let retry = annotate(view.project, "retry", "@$(date +%s)");
    format!(
        "spec.source or spec.build has changed since, so {} cannot be built again. Set them back; or push the image again and \
         retry: {retry}",
        short(&record.facts.version)
    )
}
