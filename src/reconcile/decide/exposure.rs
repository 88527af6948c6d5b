//! How the project is reached: its Service, its node port, and the NetworkPolicy that says by whom.

use super::super::observed::Child;
use super::{Situation, Step};

/// The NetworkPolicy exists if the spec says who may connect, and only then.
pub(super) fn network_policy(situation: &Situation<'_>) -> Option<Step> {
    if situation.observed.refused(Child::NetworkPolicy) {
        return None;
    }
    let there = situation.observed.network_policy.as_ref();
    if situation.project.allow_from.is_some() {
        return lacks_policy(situation).then_some(Step::ApplyNetworkPolicy);
    }
    there.filter(|policy| !policy.ending).map(|_| Step::DeleteNetworkPolicy)
}

/// The spec says who may connect, and the NetworkPolicy is not there as it should be.
pub(super) fn lacks_policy(situation: &Situation<'_>) -> bool {
    let there = situation.observed.network_policy.as_ref();
    situation.project.allow_from.is_some() && !there.is_some_and(|policy| policy.in_sync)
}

/// The Service has its desired shape and the project's port.
pub(super) fn service(situation: &Situation<'_>) -> Option<Step> {
    if situation.observed.refused(Child::Service) {
        return None;
    }
    if !situation.project.has_node_port && situation.ledger.port.is_some() {
        return None; // The ledger must first know the port as one that is given back.
    }
    let wished = situation.project.fixed_port.or(situation.ledger.port);
    let there = situation.observed.service.as_ref();
    let same = there.is_some_and(|service| service.in_sync && (wished.is_none() || service.port == wished));
    let kept = there.and_then(|service| service.port).filter(|_| situation.project.has_node_port);
    (!same).then_some(Step::ApplyService { port: wished.or(kept) })
}

/// The spec asks for no node port: the ledger moves the port to the former one before the Service gives it back.
/// Otherwise a later return to a port could not be told from a port that someone edited.
pub(super) fn release_port(situation: &Situation<'_>) -> Option<Step> {
    if situation.project.has_node_port || situation.ledger.port.is_none() {
        return None;
    }
    situation.note(situation.ledger.clone().without_port())
}

/// The port that the API server assigned is recorded for the life of the project. During a rollout it waits for the
/// verdict, which writes the ledger anyway.
pub(super) fn remember_port(situation: &Situation<'_>) -> Option<Step> {
    let is_fixed = situation.project.fixed_port.is_some();
    if !situation.project.has_node_port || !is_fixed && on_trial(situation) {
        return None;
    }
    let port = situation.observed.service.as_ref()?.port?;
    let differs = situation.ledger.port != Some(port);
    let ours = situation.ledger.port.is_none() || situation.project.fixed_port == Some(port);
    if differs && ours {
        return situation.note(situation.ledger.clone().with_port(port, is_fixed));
    }
    None
}

/// The version in place has neither been live nor failed, and a verdict will be recorded within its deadline.
fn on_trial(situation: &Situation<'_>) -> bool {
    let rollout = situation.observed.rollout.as_ref().filter(|rollout| rollout.replicas > 0);
    let version = rollout.and_then(|rollout| rollout.version.as_deref());
    version.is_some_and(|version| {
        let life = situation.ledger.state(version);
        life.live.is_none() && life.failed.is_none()
    })
}
