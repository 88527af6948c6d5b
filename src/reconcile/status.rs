//! Fourth step of the loop: derives the status from the observed facts, and events from the difference of two statuses.
//! Pure. No other file writes a condition.

mod building;
mod degraded;
mod events;
mod headline;
mod history;
mod init;
mod lost_images;
mod phase;
mod predecessor;
mod rollout;
mod story;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::ProjectDeploymentStatus;
use crate::crd::annotations::RequestKind;
use crate::crd::conditions::{ConditionType, ConditionUpdate, Reason, Truth, merge};
use crate::crd::status::{BuildStatus, FailureStatus, HandledRequest, SourceStatus};
use crate::desired::{meta::selector_text, names};
use crate::memory::ledger::Ledger;
use crate::memory::record::Record;
use crate::project::Project;
use crate::version::{revision, short};

use super::observed::{BuildJob, Child, JobState, Observed, RefusalReason};
use super::target::{Target, newest_live, previous, rebuildable, target};

pub use events::{happenings, rejected_cleanups};
pub use headline::{Headline, headline};
pub use phase::is_routine_progress;
pub use story::{Line, LineKind, Rollback, of_events, story};

/// Everything that the status is derived from.
struct View<'a> {
    project: &'a Project,
    observed: &'a Observed,
    ledger: &'a Ledger,
    target: Target,
}

/// Derives the status from the observed facts. Only the transition times come from `old`.
pub fn summarize(
    old: Option<&ProjectDeploymentStatus>,
    project: &Project,
    observed: &Observed,
    node_address: Option<&str>,
) -> ProjectDeploymentStatus {
    let empty = Ledger::default();
    let ledger = observed.ledger.as_ref().unwrap_or(&empty);
    let view = View { project, observed, ledger, target: target(project, observed) };
    let headline = headline(project, observed);
    let none = vec![];
    let before = old.map_or(&none, |old| &old.conditions);
    let conditions =
        merge(before, &updates(&view, &headline), project.generation, &Time(whole_seconds(observed.now)));
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == "True");
    let port = observed.service.as_ref().and_then(|service| service.port).map(i32::from);
    let rollout = observed.rollout.as_ref();
    let serving = rollout.filter(|rollout| rollout.serving > 0).and_then(|_| serving(&view));
    let record = serving.as_ref().and_then(|version| observed.records.get(version));
    ProjectDeploymentStatus {
        observed_generation: project.generation,
        phase: Some(phase::phase(headline.reason, headline.stalled)),
        desired_version: view.target.desired.as_deref().map(short),
        version: serving.as_deref().map(short),
        previous_version: offered(&view).as_deref().map(short),
        ready_since: ready.map(|ready| ready.last_transition_time.clone()),
        image: record.and_then(Record::named_image).map(|image| image.reference.clone()),
        node_port: port,
        url: node_address.zip(port).map(|(address, port)| format!("http://{address}:{port}")),
        source: source(&view),
        build: build(&view),
        history: history::history(&view),
        failure: headline.failure.clone(),
        handled: handled(project, ledger),
        replicas: Some(rollout.map_or(0, |rollout| rollout.pods)),
        selector: Some(selector_text(&project.name)),
        conditions,
    }
}

/// Kubernetes stores times in whole seconds. A fraction would be lost and look like a change.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The version whose pods answer: the one in place if it was live last or is Available, else the one that was live
/// last. After a rollback, a version that was live before answers only once it is Available.
fn serving(view: &View<'_>) -> Option<String> {
    let in_place = view.target.in_place.clone();
    let proven = |version: &String| {
        view.ledger.state(version).live == Some(view.ledger.last_live)
            || view.observed.rollout.as_ref().is_some_and(|rollout| rollout.available)
    };
    in_place.filter(proven).or_else(|| newest_live(view.ledger))
}

/// The version that a rollback gets, if need be after a build.
fn offered(view: &View<'_>) -> Option<String> {
    let version = previous(view.ledger, view.observed, view.target.in_place.as_deref())?;
    let record = view.observed.records.get(&version)?;
    (record.image.is_some() || rebuildable(view.project, view.observed, record)).then_some(version)
}

fn updates(view: &View<'_>, headline: &Headline) -> Vec<ConditionUpdate> {
    let mut updates = vec![
        ConditionUpdate::new(ConditionType::Ready, headline.ready, headline.reason, headline.message.clone()),
        available(view, headline),
        built(view, headline),
        port(view),
        rollback(view),
    ];
    if headline.reconciling {
        updates.push(ConditionUpdate::new(
            ConditionType::Reconciling,
            Truth::True,
            headline.reason,
            headline.message.clone(),
        ));
    }
    if headline.stalled {
        updates.push(ConditionUpdate::new(
            ConditionType::Stalled,
            Truth::True,
            headline.reason,
            headline.message.clone(),
        ));
    }
    updates
}

fn available(view: &View<'_>, headline: &Headline) -> ConditionUpdate {
    let update = |truth, reason, message: String| {
        ConditionUpdate::new(ConditionType::Available, truth, reason, message)
    };
    if view.observed.ledger.is_none() && view.observed.rollout.is_none() {
        return update(
            Truth::Unknown,
            Reason::Unseen,
            "The operator has not processed the project yet".to_owned(),
        );
    }
    let Some(rollout) = view.observed.rollout.as_ref().filter(|rollout| rollout.serving > 0) else {
        let never = view.observed.rollout.is_none() && !view.project.stopped();
        return match headline.reason {
            Reason::Stopped | Reason::Stopping => {
                update(Truth::False, Reason::Stopped, "Stopped by spec: no pods run".to_owned())
            }
            _ if never => update(Truth::Unknown, Reason::NothingYet, "No version has run yet".to_owned()),
            reason => update(Truth::False, reason, "No pod is ready".to_owned()),
        };
    };
    let version = serving(view).as_deref().map_or_else(|| "a version".to_owned(), short);
    update(
        Truth::True,
        Reason::Serving,
        format!(
            "{version} serves with {} of {} pods",
            rollout.serving.min(rollout.replicas),
            rollout.replicas
        ),
    )
}

fn built(view: &View<'_>, headline: &Headline) -> ConditionUpdate {
    let update =
        |truth, reason, message: String| ConditionUpdate::new(ConditionType::Built, truth, reason, message);
    let target = view.target.version.as_ref();
    let record = target.and_then(|target| view.observed.records.get(target));
    match record {
        Some(record) if record.image.is_some() => {
            let reason = if record.facts.key.is_none() { Reason::Prebuilt } else { Reason::ImageReady };
            update(Truth::True, reason, format!("{} has an image", short(&record.facts.version)))
        }
        Some(record) if record.lost.is_some() => {
            let version = short(&record.facts.version);
            update(
                Truth::False,
                Reason::ImageLost,
                format!("The image of {version} is gone from its registry"),
            )
        }
        Some(record) => {
            let version = short(&record.facts.version);
            let says = headline.message.contains(&version);
            let message = if says {
                headline.message.clone()
            } else {
                format!("{version} has no image yet: {}", headline.message)
            };
            update(Truth::False, headline.reason, message)
        }
        None => update(Truth::Unknown, Reason::NothingYet, "No version is known yet".to_owned()),
    }
}

fn port(view: &View<'_>) -> ConditionUpdate {
    let update = |truth, reason, message: String| {
        ConditionUpdate::new(ConditionType::PortAllocated, truth, reason, message)
    };
    if let Some(refusal) = view.observed.refusals.iter().find(|refusal| refusal.child == Child::Service) {
        let reason = match refusal.cause {
            RefusalReason::PortsExhausted => Reason::PortsExhausted,
            RefusalReason::PortsTried | RefusalReason::PortUnavailable => Reason::PortUnavailable,
            RefusalReason::NameTaken => Reason::NameTaken,
            RefusalReason::Invalid => Reason::InvalidSpec,
            RefusalReason::Altered => Reason::Altered,
        };
        return update(Truth::False, reason, refusal.message.clone());
    }
    let former = view.ledger.former_port;
    match view.observed.service.as_ref().and_then(|service| service.port) {
        Some(port) if view.project.has_node_port => {
            let lost = former.filter(|former| *former != port).map(|former| {
                format!(". Node port {former}, which it had before spec.expose.nodePort.mode None, was not available")
            });
            let lost = lost.unwrap_or_default();
            update(
                Truth::True,
                Reason::Allocated,
                format!("Node port {port} stays for the life of the project{lost}"),
            )
        }
        Some(port) => {
            update(Truth::True, Reason::Allocated, format!("Node port {port} is about to be given back"))
        }
        None if !view.project.has_node_port => {
            let again = former.map(|former| {
                format!(". With mode Auto, it gets node port {former} again if that is still free")
            });
            let (name, namespace) = (&view.project.name, &view.project.namespace);
            let again = again.unwrap_or_default();
            update(
                Truth::False,
                Reason::NotRequested,
                format!(
                    "spec.expose.nodePort.mode is None, so the project has no node port. Inside the cluster, its address is http://{name}.{namespace}{again}"
                ),
            )
        }
        None => update(Truth::Unknown, Reason::NothingYet, "No node port is allocated yet".to_owned()),
    }
}

fn rollback(view: &View<'_>) -> ConditionUpdate {
    let update = |truth, reason, message: String| {
        ConditionUpdate::new(ConditionType::RollbackAvailable, truth, reason, message)
    };
    match previous(view.ledger, view.observed, view.target.in_place.as_deref()) {
        Some(version) if view.target.left.is_none() => update(
            Truth::False,
            Reason::NothingYet,
            format!("Rollback to {} is possible once the source resolves", short(&version)),
        ),
        Some(version) if view.observed.records[&version].lost.is_some() => {
            update(Truth::False, Reason::ImageLost, lost_images::rollback(view, &version))
        }
        Some(version) => {
            let command = headline::annotate(view.project, "rollback", "previous@$(date +%s)");
            update(
                Truth::True,
                Reason::VersionKept,
                format!("Roll back to {} without a build: {command}", short(&version)),
            )
        }
        None => update(
            Truth::False,
            Reason::NoOtherVersion,
            "There is no other version to roll back to".to_owned(),
        ),
    }
}

fn source(view: &View<'_>) -> Option<SourceStatus> {
    let record = view.observed.records.get(view.target.version.as_ref()?)?;
    let source = record.source();
    Some(SourceStatus {
        digest: revision(&source.digest).to_owned(),
        reference: Some(source.reference),
        message: source.message,
        author: source.author,
        committed_at: source.committed_at.map(whole_seconds).map(Time),
    })
}

fn build(view: &View<'_>) -> Option<BuildStatus> {
    let jobs = view.observed.jobs.iter().filter(|job| !is_idle_poll(job));
    let newest = jobs.max_by_key(|job| (job.state.is_active(), job.started, job.attempt))?;
    let position = view.observed.position.filter(|_| newest.state == JobState::Queued);
    Some(BuildStatus {
        id: newest.name.clone(),
        reason: newest.reason.clone(),
        position: position.and_then(|position| i32::try_from(position).ok()),
        started_at: newest.started.map(whole_seconds).map(Time),
        finished_at: newest.finished.map(whole_seconds).map(Time),
        log: newest.state.log().map(str::to_owned),
    })
}

/// A poll that has found nothing to build so far.
fn is_idle_poll(job: &BuildJob) -> bool {
    job.reason == names::POLLED
        && match &job.state {
            JobState::Built(built) => built.reused,
            JobState::Failed(failed) => failed.source.is_none(),
            JobState::Queued | JobState::Running | JobState::Lost(_) | JobState::Ending => true,
        }
}

/// Outcome of a request whose token had been handled before the last one.
const REPEATED: &str = "repeated: a request with this token was handled before, so nothing is done";

fn handled(project: &Project, ledger: &Ledger) -> std::collections::BTreeMap<String, HandledRequest> {
    let entry = |(verb, seen): (&RequestKind, &crate::memory::ledger::HandledRequest)| {
        // A token that comes again would else seem to wait.
        let again = project.requests.get(verb).filter(|value| seen.earlier.contains(*value));
        let request = match again {
            Some(value) => HandledRequest { value: value.clone(), outcome: REPEATED.to_owned() },
            None => HandledRequest { value: seen.value.clone(), outcome: seen.outcome.clone() },
        };
        (verb.word().to_owned(), request)
    };
    let there = RequestKind::ALL.map(RequestKind::word).join(", ");
    let unknown = |(word, value): (&String, &String)| {
        let outcome = format!("rejected: unknown request doce.dev/{word}. Known requests: {there}");
        (word.clone(), HandledRequest { value: value.clone(), outcome })
    };
    ledger.handled.iter().map(entry).chain(project.unknown.iter().map(unknown)).collect()
}

/// Converts a failure to its form in the status.
fn failure(version: Option<&str>, failure: &crate::memory::ledger::Failure) -> FailureStatus {
    FailureStatus {
        version: version.map(short),
        stage: failure.stage.clone(),
        reason: failure.reason.clone(),
        message: failure.message.clone(),
        log: failure.log.clone(),
    }
}
