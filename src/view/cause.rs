//! Why a project does not run as its spec says: the first cause, the evidence for it, and the next command. Pure. The
//! cause is a condition of status, in its own words.

use k8s_openapi::api::core::v1::{Event, Pod};
use serde::{Deserialize, Serialize};

use super::progress::{UNSEEN, condition, is_seen};
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;

mod evidence;
mod next;

/// The first cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Name of the project.
    pub project: String,
    /// What the spec yields serves, and nothing is wrong.
    pub well: bool,
    /// Reason of the condition; for a failed version or build, followed by the reason of the failure.
    pub reason: String,
    /// Message of the condition.
    pub message: String,
    /// What shows it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<Evidence>,
    /// What to do, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub next: Vec<Next>,
    /// What is also wrong, such as a rejected request.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub also: Vec<String>,
}

/// Something that shows the cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Where it is from: the log of the build, a pod, an event.
    pub from: String,
    /// What it says; may have several lines.
    pub says: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// What the command is for.
    pub to: String,
    /// The command, ready to paste.
    pub command: String,
}

/// What the cause is derived from besides the project.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// Pods of the project.
    pub pods: &'a [Pod],
    /// Events about the project and its children.
    pub events: &'a [Event],
    /// Flags with which commands act on the namespace and cluster of the project. Default: only its namespace.
    pub flags: Option<&'a str>,
}

/// The first cause why a project does not run as its spec says.
#[must_use]
pub fn cause(object: &ProjectDeployment, around: Around<'_>) -> Cause {
    let project = object.metadata.name.clone().unwrap_or_default();
    let ready = condition(object, "Ready");
    let Some(ready) = ready.filter(|_| is_seen(object)) else {
        let (wanted, seen) = (
            object.metadata.generation.unwrap_or(0),
            object.status.as_ref().map_or(-1, |status| status.observed_generation),
        );
        return Cause {
            project,
            reason: Reason::Unseen.name().to_owned(),
            message: UNSEEN.to_owned(),
            evidence: vec![Evidence {
                from: "resource".to_owned(),
                says: format!("metadata.generation is {wanted}, status.observedGeneration is {seen}"),
            }],
            next: next::commands(object, Some(Reason::Unseen), around.flags),
            ..Cause::default()
        };
    };
    let reason = Reason::ALL.iter().copied().find(|reason| reason.name() == ready.reason);
    let also = also(object, reason);
    let well = ready.status == "True" && reason == Some(Reason::Serving) && also.is_empty();
    let failure = object.status.as_ref().and_then(|status| status.failure.as_ref());
    let detail = failure.map(|failure| failure.reason.as_str()).or_else(|| trouble(&ready.message));
    let detail = detail.filter(|detail| *detail != ready.reason && !detail.is_empty());
    let evidence = if well { vec![] } else { evidence::collect(object, around) };
    Cause {
        project,
        well,
        reason: detail.map_or_else(|| ready.reason.clone(), |detail| format!("{} ({detail})", ready.reason)),
        message: ready.message.clone(),
        evidence,
        next: if well { vec![] } else { next::commands(object, reason, around.flags) },
        also,
    }
}

/// What keeps pods from starting, as the message of Ready says it in Kubernetes' word: `v1 is starting (ImagePullBackOff: …`.
fn trouble(message: &str) -> Option<&str> {
    let starts = message.match_indices(" (").map(|(at, open)| &message[at + open.len()..]);
    let word = |rest: &'_ str| -> Option<usize> {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
        let is_reason = rest.starts_with(|c: char| c.is_ascii_uppercase()) && rest[end..].starts_with(": ");
        is_reason.then_some(end)
    };
    starts.into_iter().find_map(|rest| word(rest).map(|end| &rest[..end]))
}

/// Rejected requests that are still on the object, and a missing way back.
fn also(object: &ProjectDeployment, reason: Option<Reason>) -> Vec<String> {
    let Some(status) = &object.status else { return vec![] };
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    let rejected = status.handled.iter().filter_map(|(verb, handled)| {
        let is_there = annotations.get(&format!("doce.dev/{verb}")) == Some(&handled.value);
        let refused = handled.outcome.strip_prefix("rejected: ")?;
        is_there.then(|| format!("The last request doce.dev/{verb} was rejected: {refused}"))
    });
    let lost = condition(object, "RollbackAvailable")
        .filter(|found| found.reason == Reason::ImageLost.name() && reason != Some(Reason::ImageLost));
    rejected.chain(lost.map(|lost| lost.message.clone())).collect()
}

#[cfg(test)]
#[path = "cause/tests.rs"]
mod tests;
