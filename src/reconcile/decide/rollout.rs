//! Which version runs, and which ReplicaSets are kept.

use crate::memory::ledger::Ledger;

use super::super::observed::{Child, Set};
use super::super::target::{last_live, previous};
use super::requests::stamp;
use super::{DesiredDeployment, Situation, Step, TemplateOrigin, exposure};

/// Deployment, Service and NetworkPolicy follow the version to run and `spec.expose`. The NetworkPolicy comes first: it
/// is there before the first pod. A restart in progress is reverted before the switch, so that a later rollback matches
/// a ReplicaSet that is known to be good.
pub(super) fn children(situation: &Situation<'_>) -> Option<Step> {
    exposure::network_policy(situation)
        .or_else(|| restart_back(situation))
        .or_else(|| start_anew(situation))
        .or_else(|| roll(situation))
        .or_else(|| exposure::release_port(situation))
        .or_else(|| exposure::service(situation))
        .or_else(|| exposure::remember_port(situation))
}

/// The version to run; `None` while there is none yet.
pub(super) fn version_to_run<'a>(situation: &'a Situation<'_>) -> Option<&'a str> {
    let in_place = situation.target.in_place.as_deref();
    if situation.project.stopped() {
        return in_place;
    }
    let target = situation.target.version.as_deref();
    let built = target.filter(|target| situation.startable(target) && situation.initialized(target));
    let good = built.filter(|target| !situation.failed(target));
    let stays = in_place.filter(|version| !situation.failed(version) || !situation.project.returns());
    let last_live = last_live(situation.ledger, |version| situation.built(version));
    // A first version that failed stays; if it was deleted, it comes back.
    good.or(stays).or(last_live).or(in_place).or(built)
}

fn restart_back(situation: &Situation<'_>) -> Option<Step> {
    let in_place = situation.target.in_place.as_deref()?;
    let life = situation.ledger.state(in_place);
    if version_to_run(situation) == Some(in_place) || !life.restarting() {
        return None;
    }
    let mut ledger: Ledger = situation.ledger.clone();
    ledger.versions.entry(in_place.to_owned()).or_default().restart = life.good_restart;
    situation.note(ledger)
}

/// At 0 replicas Kubernetes reports every template as complete, and scaling up starts no deadline. So an unproven
/// version starts with a new stamp: template and replicas change in one write.
fn start_anew(situation: &Situation<'_>) -> Option<Step> {
    let rollout = situation
        .observed
        .rollout
        .as_ref()
        .filter(|rollout| rollout.replicas == 0 && !situation.project.stopped())?;
    let version = version_to_run(situation)
        .filter(|version| rollout.version.as_deref() == Some(version) && situation.built(version))?;
    let life = situation.ledger.state(version);
    let proven = life.live.is_some() && !life.restarting();
    if proven || rollout.stamp != life.restart {
        return None;
    }
    let mut ledger: Ledger = situation.ledger.clone();
    let stamp = stamp(&format!("start after {:?}", rollout.stamp));
    ledger.versions.entry(version.to_owned()).or_default().restart = Some(stamp);
    situation.note(ledger)
}

fn roll(situation: &Situation<'_>) -> Option<Step> {
    if situation.observed.refused(Child::Deployment) {
        return None;
    }
    let desired = desired(situation)?;
    let same = situation.observed.rollout.as_ref().is_some_and(|rollout| {
        let template = desired.version.is_none()
            || rollout.version == desired.version && rollout.stamp == desired.stamp && rollout.in_sync;
        template && rollout.replicas == desired.replicas
    });
    (!same && !starts_unprotected(situation, &desired)).then_some(Step::ApplyDeployment(desired))
}

/// The NetworkPolicy was rejected, and pods would start where none run. Pods that run already keep running, and so do
/// their rollouts: no client reaches more than before.
fn starts_unprotected(situation: &Situation<'_>, desired: &DesiredDeployment) -> bool {
    let runs = situation.observed.rollout.as_ref().is_some_and(|rollout| rollout.replicas > 0);
    desired.replicas > 0 && !runs && exposure::lacks_policy(situation)
}

fn desired(situation: &Situation<'_>) -> Option<DesiredDeployment> {
    let replicas = situation.project.replicas;
    if situation.project.stopped() {
        let there = situation.observed.rollout.as_ref()?;
        let (stamp, template) = (there.stamp.clone(), TemplateOrigin::InPlace);
        return Some(DesiredDeployment { version: None, stamp, replicas, trial: false, template });
    }
    let version = version_to_run(situation)?;
    let life = situation.ledger.state(version);
    let in_place = situation.target.in_place.as_deref() == Some(version);
    let trial = life.live.is_none(); // A retry has its own stamp: the old pods and deadline must not count.
    let stamp = if in_place || trial { life.restart } else { life.good_restart };
    let version = situation.built(version).then(|| version.to_owned());
    let template = template_origin(situation, version.as_ref(), stamp.as_ref());
    Some(DesiredDeployment { version, stamp, replicas, trial, template })
}

fn template_origin(
    situation: &Situation<'_>,
    version: Option<&String>,
    stamp: Option<&String>,
) -> TemplateOrigin {
    let rollout = situation.observed.rollout.as_ref();
    if rollout.is_some_and(|there| there.version.as_ref() == version && there.stamp.as_ref() == stamp) {
        return TemplateOrigin::InPlace;
    }
    let same = |set: &&Set| set.version.as_ref() == version && set.stamp.as_ref() == stamp;
    let newest = situation.observed.sets.iter().filter(same).max_by_key(|set| set.revision);
    newest.map_or(TemplateOrigin::Project, |set| TemplateOrigin::ReplicaSet(set.name.clone()))
}

/// A ReplicaSet without pods that no rollback needs. The kept one belongs to the version that went live last
/// before the one in place, with its good restart stamp.
pub(super) fn delete_replica_set(situation: &Situation<'_>) -> Option<Step> {
    let rollout = situation.observed.rollout.as_ref().filter(|rollout| rollout.current)?;
    if situation.project.stopped() || rollout.replicas == 0 {
        return None;
    }
    let in_place = situation.target.in_place.as_deref()?;
    let life = situation.ledger.state(in_place);
    let on_top = life.live.is_some_and(|live| live == situation.ledger.last_live) && life.failed.is_none();
    let settled = on_top
        && rollout.available
        && rollout.in_sync
        && !life.restarting()
        && version_to_run(situation) == Some(in_place);
    let kept = previous(situation.ledger, situation.observed, Some(in_place));
    let good = situation.ledger.state(kept.as_deref().unwrap_or_default()).good_restart;
    let fits = |set: &Set| set.version.is_some() && set.version == kept && set.stamp == good && set.in_sync;
    // `kubectl rollout restart` creates another one with the same version and stamp: a rollback matches the newest.
    let newest = situation.observed.sets.iter().filter(|set| fits(set)).map(|set| set.revision).max();
    let is_kept = |set: &Set| fits(set) && Some(set.revision) == newest;
    let goes = |set: &Set| {
        let same = set.version.as_deref() == Some(in_place);
        let failed = set.version.as_deref().is_some_and(|version| situation.failed(version)) && !same;
        settled && !is_kept(set) || failed || same && (set.stamp != rollout.stamp || !set.in_sync)
    };
    let idle = situation.observed.sets.iter().filter(|set| set.pods == 0 && !set.current);
    idle.into_iter().find(|set| goes(set)).map(|set| Step::DeleteReplicaSet { name: set.name.clone() })
}
