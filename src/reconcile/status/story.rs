//! The story of a project, line by line, for the operator's log and its metrics: all events, and what would be too much for
//! them, such as new versions and the ends of builds. Like events, it is derived from the difference of two statuses.

use crate::cluster::events::Happening;
use crate::crd::ProjectDeploymentStatus;
use crate::crd::annotations::RequestKind;
use crate::crd::status::{BuildStatus, HistoryEntry};

/// Something that happened to a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A person should look at it.
    pub warning: bool,
    /// What happened.
    pub kind: LineKind,
    /// The version that it is about.
    pub version: Option<String>,
    /// How long it took, in seconds.
    pub seconds: Option<i64>,
    /// The same for people.
    pub message: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A new version was recorded.
    Recorded,
    /// A build started.
    BuildStarted,
    /// A build ended, with an image or without.
    BuildEnded {
        /// There is an image.
        succeeded: bool,
    },
    /// A version went live for the first time.
    Live,
    /// A version failed.
    Failed,
    /// The project got its port.
    Port,
    /// A rollback was requested.
    Rollback(Rollback),
    /// What an event says, with its reason.
    Event(String),
}

/// What the operator made of a request to roll back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollback {
    /// It rolls back, or the version runs already.
    Accepted,
    /// It says why not.
    Rejected,
    /// The request is not new, so nothing is done.
    Ignored,
}

impl Rollback {
    fn of(outcome: &str) -> Self {
        match outcome.split(':').next() {
            Some("rejected") => Self::Rejected,
            Some("ignored" | "repeated") => Self::Ignored,
            _ => Self::Accepted,
        }
    }
}

/// Reason of the event of a request to roll back.
const ROLLBACK: &str = "RollbackRequested";

impl LineKind {
    /// One CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Recorded => "VersionRecorded",
            Self::BuildStarted => "BuildStarted",
            Self::BuildEnded { succeeded: true } => "BuildSucceeded",
            Self::BuildEnded { succeeded: false } => "BuildEnded",
            Self::Live => "VersionLive",
            Self::Failed => "VersionFailed",
            Self::Port => "PortAllocated",
            Self::Rollback(_) => ROLLBACK,
            Self::Event(reason) => reason,
        }
    }
}

/// What happened between `old` and `new`, of which `events` are published.
#[must_use]
pub fn story(
    old: Option<&ProjectDeploymentStatus>,
    new: &ProjectDeploymentStatus,
    events: &[Happening],
) -> Vec<Line> {
    let empty = ProjectDeploymentStatus::default();
    let old = old.unwrap_or(&empty);
    let mut lines: Vec<Line> = port(old, new).into_iter().collect();
    lines.extend(new.history.iter().rev().filter(|entry| before(old, entry).is_none()).map(recorded));
    lines.extend(builds(old, new));
    lines.extend(new.history.iter().rev().filter_map(|entry| ended(before(old, entry), entry)));
    lines.extend(of_events(new, events));
    lines
}

/// The lines of events about a project with this status.
#[must_use]
pub fn of_events(status: &ProjectDeploymentStatus, events: &[Happening]) -> Vec<Line> {
    let handled = status.handled.get(RequestKind::Rollback.word());
    let kind = |event: &Happening| match handled {
        Some(handled) if event.reason == ROLLBACK => LineKind::Rollback(Rollback::of(&handled.outcome)),
        _ => LineKind::Event(event.reason.clone()),
    };
    let line = |event: &Happening| Line {
        warning: event.warning,
        kind: kind(event),
        version: status.desired_version.clone(),
        seconds: None,
        message: event.note.clone(),
    };
    events.iter().map(line).collect()
}

fn before<'a>(old: &'a ProjectDeploymentStatus, entry: &HistoryEntry) -> Option<&'a HistoryEntry> {
    old.history.iter().find(|before| before.version == entry.version)
}

fn port(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus) -> Option<Line> {
    let port = new.node_port.filter(|port| old.node_port != Some(*port))?;
    Some(Line {
        warning: false,
        kind: LineKind::Port,
        version: None,
        seconds: None,
        message: format!("the project has node port {port}"),
    })
}

fn recorded(entry: &HistoryEntry) -> Line {
    let HistoryEntry { version, source, reference, trigger, by, .. } = entry;
    let reference = reference.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let cause = trigger.map(|trigger| format!(", trigger {trigger:?}")).unwrap_or_default();
    let by = by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    Line {
        warning: false,
        kind: LineKind::Recorded,
        version: Some(version.clone()),
        seconds: None,
        message: format!("{version} is recorded: {source}{reference}{cause}{by}"),
    }
}

fn builds(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus) -> Vec<Line> {
    let Some(build) = &new.build else { return vec![] };
    let known = old.build.as_ref().filter(|known| known.id == build.id);
    let is_new = |time: fn(&BuildStatus) -> bool| time(build) && !known.is_some_and(time);
    let line = |kind, warning, seconds, message| Line {
        warning,
        kind,
        version: new.desired_version.clone(),
        seconds,
        message,
    };
    let mut lines = vec![];
    if is_new(|build| build.started_at.is_some()) {
        let message = format!("build {} started, reason {}", build.id, build.reason);
        lines.push(line(LineKind::BuildStarted, false, None, message));
    }
    if is_new(|build| build.finished_at.is_some()) {
        let seconds = build.started_at.as_ref().zip(build.finished_at.as_ref());
        let seconds = seconds.map(|(from, to)| to.0.as_second() - from.0.as_second());
        let outcome = new.condition("Built");
        let is = |truth| outcome.is_some_and(|outcome| outcome.status == truth);
        let succeeded = is("True");
        let said = outcome.map(|outcome| format!(": {}", outcome.message)).unwrap_or_default();
        let message = format!("build {} ended{said}", build.id);
        lines.push(line(LineKind::BuildEnded { succeeded }, is("False"), seconds, message));
    }
    lines
}

/// A version went live for the first time, or failed.
fn ended(before: Option<&HistoryEntry>, entry: &HistoryEntry) -> Option<Line> {
    let HistoryEntry { version, reason, duration_seconds, .. } = entry;
    let is_new = |what: fn(&HistoryEntry) -> bool| what(entry) && !before.is_some_and(what);
    let line = |kind, seconds, message| Line {
        warning: kind == LineKind::Failed,
        kind,
        version: Some(version.clone()),
        seconds,
        message,
    };
    if is_new(|entry| entry.ready_at.is_some()) {
        return Some(line(
            LineKind::Live,
            *duration_seconds,
            format!("{version} is live for the first time"),
        ));
    }
    let reason = reason.as_deref().unwrap_or("Failed");
    is_new(|entry| entry.state == "Failed")
        .then(|| line(LineKind::Failed, None, format!("{version} failed: {reason}")))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn status(is_built: &str, build: BuildStatus, history: &[HistoryEntry]) -> ProjectDeploymentStatus {
        let condition = json!({ "type": "Built", "status": is_built, "reason": "Any", "message": "so it is",
            "lastTransitionTime": "2026-01-01T00:00:00Z" });
        ProjectDeploymentStatus {
            desired_version: Some("v2".to_owned()),
            node_port: Some(30200),
            build: Some(build),
            history: history.to_vec(),
            conditions: vec![serde_json::from_value(condition).unwrap()],
            ..ProjectDeploymentStatus::default()
        }
    }

    fn version(name: &str, state: &str) -> HistoryEntry {
        let (version, state, source) = (name.to_owned(), state.to_owned(), "0123456".to_owned());
        HistoryEntry { version, state, source, ..HistoryEntry::default() }
    }

    fn reasons(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.kind.reason()).collect()
    }

    fn build(finished: Option<Time>) -> BuildStatus {
        let id = "shop-1a2b3c4d".to_owned();
        BuildStatus { id, started_at: Some(at(100)), finished_at: finished, ..BuildStatus::default() }
    }

    #[test]
    fn a_deploy_has_lines_from_its_record_to_its_first_time_live_and_none_twice() {
        let building = status("Unknown", build(None), &[version("v2", "Building"), version("v1", "Live")]);
        let begun = story(None, &building, &[]);
        assert_eq!(
            reasons(&begun),
            ["PortAllocated", "VersionRecorded", "VersionRecorded", "BuildStarted"],
            "the older version first"
        );
        assert_eq!(begun[1].version.as_deref(), Some("v1"));
        assert_eq!(story(Some(&building), &building, &[]), []);

        let live =
            HistoryEntry { ready_at: Some(at(190)), duration_seconds: Some(95), ..version("v2", "Serving") };
        let served = status("True", build(Some(at(142))), &[live, version("v1", "Live")]);
        let ended = story(Some(&building), &served, &[]);
        assert_eq!(reasons(&ended), ["BuildSucceeded", "VersionLive"]);
        assert_eq!((ended[0].seconds, ended[1].seconds), (Some(42), Some(95)));
        assert!(ended[0].message.contains("so it is") && !ended[0].warning);
        assert_eq!(story(Some(&served), &served, &[]), []);
    }

    #[test]
    fn a_build_that_fails_and_its_version_are_warnings() {
        let building = status("Unknown", build(None), &[version("v2", "Building")]);
        let failed =
            HistoryEntry { reason: Some("DependencyInstallFailed".to_owned()), ..version("v2", "Failed") };
        let failed = story(Some(&building), &status("False", build(Some(at(160))), &[failed]), &[]);
        assert_eq!(reasons(&failed), ["BuildEnded", "VersionFailed"]);
        assert!(failed.iter().all(|line| line.warning));
        assert_eq!(failed[1].message, "v2 failed: DependencyInstallFailed");
    }
    #[test]
    fn a_rollback_counts_as_what_the_operator_made_of_it() {
        for (outcome, expected) in [
            ("rolling back to v1", Rollback::Accepted),
            ("v1 already runs", Rollback::Accepted),
            ("rejected: no such version", Rollback::Rejected),
            ("repeated: nothing is done", Rollback::Ignored),
            ("ignored: it was already set", Rollback::Ignored),
        ] {
            let handled = json!({ "handled": { "rollback": { "value": "v1@1", "outcome": outcome } } });
            let new: ProjectDeploymentStatus = serde_json::from_value(handled).unwrap();
            let events = super::super::happenings(None, &new);
            let lines = story(None, &new, &events);
            assert!(
                lines.iter().any(|line| line.kind == LineKind::Rollback(expected)),
                "{outcome}: {lines:?}"
            );
        }
    }
}
