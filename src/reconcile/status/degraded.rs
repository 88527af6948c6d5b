//! The part of the headline about the version that was live last, when its Deployment is not complete: pods are added,
//! removed or replaced, or they are down.

use super::View;
use super::headline::Headline;
use crate::crd::conditions::Reason;
use crate::crd::spec::Takeover;
use crate::reconcile::observed::Rollout;
use crate::version::short;

/// The status of the Deployment applies: it is about this generation, or only the number of pods has changed since.
pub(super) fn is_about(rollout: &Rollout) -> bool {
    rollout.current || rollout.in_sync && rollout.serving > 0
}

/// Nothing is on trial. Ready stays True while the version serves and no pod is unhealthy: an alert on every step of an
/// autoscaler would be wrong.
pub(super) fn degraded(view: &View<'_>, rollout: &Rollout, target: &str, trouble: &str) -> Headline {
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
                "{version} serves with its old pods. The new pods that replace them do not become ready{trouble}. \
                 Undo a restart by kubectl: kubectl rollout undo deploy/{} -n {}",
                view.project.name, view.project.namespace
            ),
        ),
        () if rollout.ailing > 0 => {
            let to_do = "Nothing is on trial, so the operator does not roll back. Kubernetes keeps trying";
            Headline::working(Reason::Unavailable, format!("{some}{trouble}. {to_do}"))
        }
        () if replaced => Headline::working(
            Reason::Restarting,
            format!("The pods of {version} are being replaced: {serving} of {replicas} are ready"),
        ),
        () if serving == 0 => Headline::working(Reason::Starting, format!("{version} is starting: {some}")),
        () if rollout.pods > replicas => Headline::serving_on(
            Reason::Scaling,
            format!(
                "{version} serves with {serving} of {replicas} pods; {} more are terminating",
                rollout.pods - replicas
            ),
        ),
        () => Headline::serving_on(
            Reason::Scaling,
            format!("{version} serves with {serving} of {replicas} pods; the others are starting"),
        ),
    }
}

/// What to do if the nodes, or a volume that is bound to one node, allow no second pod.
const NO_ROOM: &str = ". If there is no room for one more pod, set spec.rollout.strategy: Replace. It ends the old pods first, \
                       and nothing answers until the new ones are ready";

/// The same for a version that failed because of it.
pub(super) fn no_room(view: &View<'_>, reason: &str) -> &'static str {
    let surges = view.project.rollout.strategy == Takeover::Surge;
    if surges && reason == "Unschedulable" { NO_ROOM } else { "" }
}

/// What the start of a version costs or needs: the old pods end first, or there is no room beside them.
pub(super) fn room(view: &View<'_>, rollout: Option<&Rollout>) -> &'static str {
    let Some(rollout) = rollout else { return "" };
    let unschedulable = rollout.trouble.as_ref().is_some_and(|trouble| trouble.reason == "Unschedulable");
    match view.project.rollout.strategy {
        Takeover::Replace if rollout.serving == 0 => {
            ". Nothing answers until it is ready, because of spec.rollout.strategy: Replace"
        }
        Takeover::Surge if unschedulable && rollout.serving > 0 => NO_ROOM,
        _ => "",
    }
}
