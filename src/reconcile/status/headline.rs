//! The headline: status, reason and message of Ready, and whether work goes on or a person is needed. Its rows are
//! those of the design's condition table, from the top.

use super::View;
use super::building::{image, looked_up, lookup_is_open};
use super::predecessor::predecessor;
use super::rollout::running;
use crate::crd::conditions::{Reason, Truth};
use crate::crd::status::FailureStatus;
use crate::memory::ledger::Ledger;
use crate::project::Project;
use crate::version::short;

use super::super::observed::{Child, ConfigMap, Observed, RefusalReason};
use super::super::target::{Pin, target};

/// What Ready, Reconciling and Stalled say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// Status of Ready.
    pub ready: Truth,
    /// Reason of all three.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// Work is under way.
    pub reconciling: bool,
    /// Nothing changes until a person acts.
    pub stalled: bool,
    /// Why the target does not serve.
    pub failure: Option<FailureStatus>,
}

impl Headline {
    fn new(ready: Truth, reason: Reason, message: impl Into<String>) -> Self {
        Self { ready, reason, message: message.into(), reconciling: false, stalled: false, failure: None }
    }

    pub(super) fn ready(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Truth::True, reason, message)
    }

    /// It serves, and work is under way that does not affect serving.
    pub(super) fn serving_on(reason: Reason, message: impl Into<String>) -> Self {
        Self { reconciling: true, ..Self::new(Truth::True, reason, message) }
    }

    pub(super) fn working(reason: Reason, message: impl Into<String>) -> Self {
        Self { reconciling: true, ..Self::new(Truth::False, reason, message) }
    }

    pub(super) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { stalled: true, ..Self::new(Truth::False, reason, message) }
    }
}

/// Returns the first row that matches.
#[must_use]
pub fn headline(project: &Project, observed: &Observed) -> Headline {
    let empty = Ledger::default();
    let ledger = observed.ledger.as_ref().unwrap_or(&empty);
    let view = View { project, observed, ledger, target: target(project, observed) };
    let rows: [fn(&View<'_>) -> Option<Headline>; 10] = [
        predecessor,
        refused,
        contested,
        unseen,
        stopped,
        pin_unknown,
        config_map_missing,
        looked_up,
        image,
        running,
    ];
    let found = rows.iter().find_map(|row| row(&view));
    let headline =
        found.unwrap_or_else(|| Headline::working(Reason::Resolving, "The source is being resolved"));
    port_missing(&view, headline)
}

/// A name is taken, the API server rejects a child, or something changes a child after each write. A missing port
/// blocks nothing else and comes last.
fn refused(view: &View<'_>) -> Option<Headline> {
    let refusals = view.observed.refusals.iter().filter(|refusal| refusal.child != Child::Cleanup);
    let mut stalled = refusals.filter_map(|refusal| {
        let reason = match refusal.cause {
            RefusalReason::NameTaken => Reason::NameTaken,
            RefusalReason::Invalid => Reason::InvalidSpec,
            RefusalReason::Altered => Reason::Altered,
            RefusalReason::PortsExhausted | RefusalReason::PortsTried | RefusalReason::PortUnavailable => {
                return None;
            }
        };
        Some(Headline::stalled(reason, refusal.message.clone()))
    });
    stalled.next()
}

/// Something strips labels or the owner of a child after every repair.
fn contested(view: &View<'_>) -> Option<Headline> {
    let first = view.observed.contested.first()?;
    Some(Headline::stalled(Reason::Altered, first.message.clone()))
}

fn unseen(view: &View<'_>) -> Option<Headline> {
    view.observed.ledger.is_none().then(|| Headline {
        reconciling: true,
        ..Headline::new(Truth::Unknown, Reason::Unseen, "The operator has not processed the project yet")
    })
}

fn stopped(view: &View<'_>) -> Option<Headline> {
    if !view.project.stopped() {
        return None;
    }
    let gone =
        view.observed.rollout.as_ref().is_none_or(|rollout| rollout.pods == 0 && rollout.replicas == 0);
    let message = "Stopped by spec: no pods run. The port and the versions stay. To start the project, set spec.state: Running and spec.replicas \
                   above 0";
    Some(if gone {
        Headline::ready(Reason::Stopped, message)
    } else {
        Headline::working(Reason::Stopping, "Stopped by spec: its pods are terminating")
    })
}

fn pin_unknown(view: &View<'_>) -> Option<Headline> {
    let Pin::Unknown(versions) = &view.target.pin else { return None };
    if lookup_is_open(view) || matches!(view.observed.config_map, ConfigMap::Missing) && versions.is_empty() {
        return None; // It is not known yet what the spec yields: it may be the pin.
    }
    let list = versions.iter().map(|version| short(version)).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "none yet".to_owned() } else { list };
    let pin = view.project.pin.as_deref().unwrap_or_default();
    Some(Headline::stalled(
        Reason::VersionUnknown,
        format!(
            "spec.pinnedVersion v{pin} matches no version, or more than one. The running version stays. Available versions: {list}"
        ),
    ))
}

fn config_map_missing(view: &View<'_>) -> Option<Headline> {
    let crate::project::DigestSource::ConfigMap(name) = view.project.origin() else { return None };
    let missing = view.observed.config_map == ConfigMap::Missing && !matches!(view.target.pin, Pin::Known(_));
    missing.then(|| {
        let message = format!(
            "ConfigMap {name} does not exist in namespace {}: create it, and the operator starts the build",
            view.project.namespace
        );
        let failure = FailureStatus {
            stage: "Resolve".into(),
            reason: Reason::ConfigMapNotFound.name().into(),
            message: message.clone(),
            ..FailureStatus::default()
        };
        Headline { failure: Some(failure), ..Headline::working(Reason::ConfigMapNotFound, message) }
    })
}

/// Ready needs the port too, but a missing port blocks nothing else and hides no failure.
fn port_missing(view: &View<'_>, headline: Headline) -> Headline {
    let mut refusals = view.observed.refusals.iter();
    let refusal = refusals.find(|refusal| refusal.child == Child::Service && refusal.cause.is_of_port());
    match refusal {
        Some(refusal) if !headline.stalled => {
            let reason = if refusal.cause == RefusalReason::PortsExhausted {
                Reason::PortsExhausted
            } else {
                Reason::PortUnavailable
            };
            Headline { failure: headline.failure, ..Headline::working(reason, refusal.message.clone()) }
        }
        _ => headline,
    }
}

/// Names the version that serves meanwhile.
pub(super) fn stays(view: &View<'_>) -> String {
    let rollout = view.observed.rollout.as_ref().filter(|rollout| rollout.serving > 0);
    let serving = rollout
        .and_then(|_| super::serving(view))
        .filter(|serving| view.target.version.as_ref() != Some(serving));
    serving.map(|version| format!("; {} keeps serving", short(&version))).unwrap_or_default()
}

/// The command that makes a request.
pub(super) fn annotate(project: &Project, verb: &str, value: &str) -> String {
    format!(
        "kubectl annotate pd {} -n {} --overwrite doce.dev/{verb}=\"{value}\"",
        project.name, project.namespace
    )
}
