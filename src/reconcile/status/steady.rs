//! The part of the headline about a version that went live last and whose Deployment is not whole: pods are added, taken
//! away or replaced, or they have fallen.

use super::View;
use super::ready::Headline;
use crate::crd::conditions::Reason;
use crate::crd::spec::Takeover;
use crate::reconcile::observed::Rollout;
use crate::version::short;

/// What the Deployment says counts: it is about this generation, or nothing but the number of pods has changed since.
pub(super) fn is_about(rollout: &Rollout) -> bool {
    rollout.current || rollout.faithful && rollout.serving > 0
}

/// Nothing is on trial. Ready stays True while the version serves and no pod is unwell: an alert on every step of an
/// autoscaler would be wrong.
pub(super) fn steady(view: &View<'_>, rollout: &Rollout, target: &str, trouble: &str) -> Headline {
    let (version, replicas) = (short(target), rollout.replicas);
    let serving = rollout.serving.min(replicas);
    let some = format!("{serving} of {replicas} pods of {version} are ready");
    let replaced = rollout.pods > rollout.updated && rollout.updated <= replicas;
    match () {
        () if replaced && rollout.ailing == 0 && serving == replicas => Headline::serving_on(
            Reason::Restarting,
            format!(
                "{version} serves; its pods are being replaced, {} of {replicas} are new",
                rollout.updated
            ),
        ),
        () if replaced && serving == replicas => Headline::working(
            Reason::Restarting,
            format!(
                "{version} serves with the pods from before; those that are to replace them do not become ready{trouble}. \
                 To take a restart by kubectl back: kubectl rollout undo deploy/{} -n {}",
                view.project.name, view.project.namespace
            ),
        ),
        () if rollout.ailing > 0 => {
            let to_do = "Nothing is on trial, so nothing is moved; Kubernetes keeps trying";
            Headline::working(Reason::Unavailable, format!("{some}{trouble}. {to_do}"))
        }
        () if replaced => Headline::working(
            Reason::Restarting,
            format!("the pods of {version} are being replaced: {serving} of {replicas} are ready"),
        ),
        () if serving == 0 => {
            Headline::working(Reason::Starting, format!("{version} is being started: {some}"))
        }
        () if rollout.pods > replicas => Headline::serving_on(
            Reason::Scaling,
            format!(
                "{version} serves with {serving} of {replicas} pods; {} more are ending",
                rollout.pods - replicas
            ),
        ),
        () => Headline::serving_on(
            Reason::Scaling,
            format!("{version} serves with {serving} of {replicas} pods; the others are being started"),
        ),
    }
}

/// The way out where the nodes, or a volume that one node has, take no second pod.
const NO_ROOM: &str = ". If there is no room for one pod more beside those that serve: spec.rollout.strategy: Replace ends those first, \
                       and nothing answers meanwhile";

/// The same of a version that failed for it.
pub(super) fn no_room(view: &View<'_>, reason: &str) -> &'static str {
    let surges = view.project.rollout.strategy == Takeover::Surge;
    if surges && reason == "Unschedulable" { NO_ROOM } else { "" }
}

/// What a version that is being started costs, or would need: the pods from before end first, or there is no room beside them.
pub(super) fn room(view: &View<'_>, rollout: Option<&Rollout>) -> &'static str {
    let Some(rollout) = rollout else { return "" };
    let unschedulable = rollout.trouble.as_ref().is_some_and(|trouble| trouble.reason == "Unschedulable");
    match view.project.rollout.strategy {
        Takeover::Replace if rollout.serving == 0 => {
            ". Nothing answers meanwhile, as spec.rollout.strategy: Replace has it"
        }
        Takeover::Surge if unschedulable && rollout.serving > 0 => NO_ROOM,
        _ => "",
    }
}
