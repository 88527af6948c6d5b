//! The headline: Ready, its reason and its sentence, and whether work goes on or a person is needed. The rows of the
//! design's condition table, top down.

use super::building::{image, looked_up, lookup_is_open, poll_fails};
use super::{View, failure};
use crate::crd::conditions::{Reason, Truth};
use crate::crd::status::FailureStatus;
use crate::ledger::{Ledger, Life};
use crate::project::Project;
use crate::version::short;

use super::super::asked::{Pin, asked, forbidden};
use super::super::world::{Cause, Child, ConfigMap, Rollout, World};

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
    /// Nothing more happens without a person.
    pub stalled: bool,
    /// Why the wanted version does not serve.
    pub failure: Option<FailureStatus>,
}

impl Headline {
    fn new(ready: Truth, reason: Reason, message: impl Into<String>) -> Self {
        Self { ready, reason, message: message.into(), reconciling: false, stalled: false, failure: None }
    }

    fn ready(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Truth::True, reason, message)
    }

    pub(super) fn working(reason: Reason, message: impl Into<String>) -> Self {
        Self { reconciling: true, ..Self::new(Truth::False, reason, message) }
    }

    pub(super) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { stalled: true, ..Self::new(Truth::False, reason, message) }
    }
}

/// The first row that matches.
#[must_use]
pub fn headline(project: &Project, world: &World) -> Headline {
    let empty = Ledger::default();
    let ledger = world.ledger.as_ref().unwrap_or(&empty);
    let view = View { project, world, ledger, asked: asked(project, world) };
    let rows: [fn(&View<'_>) -> Option<Headline>; 9] =
        [predecessor, refused, unseen, stopped, pin_unknown, config_map_missing, looked_up, image, running];
    let found = rows.iter().find_map(|row| row(&view));
    let headline =
        found.unwrap_or_else(|| Headline::working(Reason::Resolving, "the source is being looked up"));
    port_missing(&view, headline)
}

fn predecessor(view: &View<'_>) -> Option<Headline> {
    let there = &view.world.predecessors;
    (!there.is_empty()).then(|| {
        let list = there.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        Headline::working(
            Reason::Predecessor,
            format!("waits until what belonged to a deleted project of the same name is gone: {list}"),
        )
    })
}

/// A name that is taken, a shape that is refused, a child that does not stay as it is written; a missing port stops
/// nothing else and comes last.
fn refused(view: &View<'_>) -> Option<Headline> {
    let refusals = view.world.refusals.iter().filter(|refusal| refusal.child != Child::Cleanup);
    let mut stalled = refusals.filter_map(|refusal| {
        let reason = match refusal.cause {
            Cause::NameTaken => Reason::NameTaken,
            Cause::Invalid => Reason::InvalidSpec,
            Cause::Altered => Reason::Altered,
            Cause::PortsExhausted | Cause::PortUnavailable => return None,
        };
        Some(Headline::stalled(reason, refusal.message.clone()))
    });
    stalled.next()
}

fn unseen(view: &View<'_>) -> Option<Headline> {
    view.world.ledger.is_none().then(|| Headline {
        reconciling: true,
        ..Headline::new(Truth::Unknown, Reason::Unseen, "nothing has been looked at yet")
    })
}

fn stopped(view: &View<'_>) -> Option<Headline> {
    if !view.project.stopped() {
        return None;
    }
    let gone = view.world.rollout.as_ref().is_none_or(|rollout| rollout.pods == 0 && rollout.replicas == 0);
    let message = "no pods, as asked; port and versions are kept. Start it with spec.state: Running and spec.replicas above 0";
    Some(if gone {
        Headline::ready(Reason::Stopped, message)
    } else {
        Headline::working(Reason::Stopped, "the pods are ending, as asked")
    })
}

fn pin_unknown(view: &View<'_>) -> Option<Headline> {
    let Pin::Unknown(versions) = &view.asked.pin else { return None };
    if lookup_is_open(view) || matches!(view.world.config_map, ConfigMap::Missing) && versions.is_empty() {
        return None; // What the spec itself yields is not known yet: it may be the pin.
    }
    let list = versions.iter().map(|version| short(version)).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "none yet".to_owned() } else { list };
    let pin = view.project.pin.as_deref().unwrap_or_default();
    Some(Headline::stalled(
        Reason::VersionUnknown,
        format!(
            "spec.pinnedVersion v{pin} names no version, or more than one; what runs stays. Can be had: {list}"
        ),
    ))
}

fn config_map_missing(view: &View<'_>) -> Option<Headline> {
    let crate::project::Origin::ConfigMap(name) = view.project.origin() else { return None };
    let missing = view.world.config_map == ConfigMap::Missing && !matches!(view.asked.pin, Pin::Known(_));
    missing.then(|| {
        let message = format!(
            "ConfigMap {name} does not exist in namespace {}: create it, and the build starts by itself",
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

/// The wanted version has an image: is it in place, and does it serve?
fn running(view: &View<'_>) -> Option<Headline> {
    let wanted = view.asked.wanted.as_deref()?;
    if let Some(why) = forbidden(view.world, wanted) {
        return Some(not_started(view, wanted, why));
    }
    let life = view.ledger.life(wanted);
    if let Some(failed) = &life.failed {
        let retry = annotate(view.project, "retry", "@$(date +%s)");
        let message = format!(
            "{} does not run: {}{}. Push a fix, or try again: {retry}",
            short(wanted),
            failed.message,
            stays(view)
        );
        return Some(Headline {
            failure: Some(failure(Some(wanted), failed)),
            ..Headline::stalled(Reason::RolloutFailed, message)
        });
    }
    let rollout = view.world.rollout.as_ref();
    let in_place = rollout.filter(|rollout| rollout.version.as_deref() == Some(wanted));
    let trouble = in_place
        .and_then(|rollout| rollout.trouble.as_ref())
        .map(|trouble| format!(" ({}: {})", trouble.reason, trouble.message))
        .unwrap_or_default();
    Some(match in_place {
        Some(rollout)
            if rollout.current && rollout.available && life.live.is_some() && !life.restarting() =>
        {
            serving(view, wanted)
        }
        Some(rollout) if goes_on(view, rollout, &life) => serving(view, wanted),
        Some(_) if life.restarting() && life.live.is_some() => Headline::working(
            Reason::Restarting,
            format!("the pods of {} are being started anew{trouble}", short(wanted)),
        ),
        Some(rollout) if life.live == Some(view.ledger.last) && rollout.current => {
            let some =
                format!("{} of {} pods of {} are ready", rollout.serving, rollout.replicas, short(wanted));
            let to_do = "Nothing is on trial, so nothing is moved; Kubernetes keeps trying";
            Headline::working(Reason::Unavailable, format!("{some}{trouble}. {to_do}"))
        }
        _ => Headline::working(
            Reason::Starting,
            format!("{} is being started{trouble}{}", short(wanted), stays(view)),
        ),
    })
}

/// The version itself does not let its image run: nothing was tried, and trying again would not help.
fn not_started(view: &View<'_>, wanted: &str, why: &str) -> Headline {
    let failure = FailureStatus {
        version: Some(short(wanted)),
        stage: "Rollout".into(),
        reason: Reason::ImageRunsAsRoot.name().into(),
        message: why.to_owned(),
        log: String::new(),
    };
    let message = format!("{} is not started: {why}{}", short(wanted), stays(view));
    Headline { failure: Some(failure), ..Headline::stalled(Reason::ImageRunsAsRoot, message) }
}

/// Kubernetes has not looked yet at an edit that has nothing to do with the version that serves, such as an annotation
/// of somebody else: that is no news.
fn goes_on(view: &View<'_>, rollout: &Rollout, life: &Life) -> bool {
    let whole =
        rollout.replicas > 0 && rollout.serving == rollout.replicas && rollout.pods == rollout.replicas;
    !rollout.current && rollout.faithful && whole && life.live == Some(view.ledger.last) && !life.restarting()
}

fn serving(view: &View<'_>, wanted: &str) -> Headline {
    let asked = view.asked.version.as_deref().map(short).unwrap_or_default();
    if view.asked.held {
        let hold = format!(
            "{} serves, as a rollback asked. {asked}, which the spec asks for, waits; a version newer than it is tried as usual and ends the hold, and so does: {}",
            short(wanted),
            annotate(view.project, "rollback", &format!("{asked}@$(date +%s)"))
        );
        return Headline::ready(Reason::Held, hold);
    }
    if let Pin::Known(_) = view.asked.pin {
        return Headline::ready(
            Reason::Pinned,
            format!(
                "{} serves, as spec.pinnedVersion asks; spec.source and spec.run are not looked at meanwhile",
                short(wanted)
            ),
        );
    }
    let poll = poll_fails(view).unwrap_or_default();
    let message = format!("{} serves{}{poll}", short(wanted), as_root(view, wanted));
    Headline::ready(Reason::Serving, message)
}

/// A warning where the pods run as root and nobody has written that they should.
fn as_root(view: &View<'_>, wanted: &str) -> &'static str {
    let record = view.world.records.get(wanted);
    let unasked = record.is_some_and(|record| record.user() == Some(0) && record.facts.security.is_auto());
    if unasked {
        ". Its image runs as root, so its pods meet Pod Security \"baseline\" and not \"restricted\": add USER with a number \
         above 0 to its Dockerfile, or write spec.run.security: Baseline to have it so"
    } else {
        ""
    }
}

/// Ready needs the port too, but a missing port stops nothing else and hides no failure.
fn port_missing(view: &View<'_>, headline: Headline) -> Headline {
    let refusal = view.world.refusals.iter().find(|refusal| {
        refusal.child == Child::Service
            && matches!(refusal.cause, Cause::PortsExhausted | Cause::PortUnavailable)
    });
    match refusal {
        Some(refusal) if !headline.stalled => {
            let reason = if refusal.cause == Cause::PortsExhausted {
                Reason::PortsExhausted
            } else {
                Reason::PortUnavailable
            };
            Headline { failure: headline.failure, ..Headline::working(reason, refusal.message.clone()) }
        }
        _ => headline,
    }
}

/// What serves meanwhile.
pub(super) fn stays(view: &View<'_>) -> String {
    let rollout = view.world.rollout.as_ref().filter(|rollout| rollout.serving > 0);
    let serving = rollout
        .and_then(|_| super::serving(view))
        .filter(|serving| view.asked.wanted.as_ref() != Some(serving));
    serving.map(|version| format!("; {} goes on serving", short(&version))).unwrap_or_default()
}

/// The command that makes a request.
pub(super) fn annotate(project: &Project, verb: &str, value: &str) -> String {
    format!(
        "kubectl annotate pd {} -n {} --overwrite doce.dev/{verb}=\"{value}\"",
        project.name, project.namespace
    )
}
