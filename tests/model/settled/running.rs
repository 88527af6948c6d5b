//! Oracles that check which version runs in a settled project, and what its status says.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::reconcile::decide::lost_images::lost_at;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::status::summarize;
use doce_operator::reconcile::target::{Target, previous};

use super::super::cluster::{Cluster, PAUSE, Template, timestamp};
use super::super::observe::observe;

/// The version that should run: the target, with an image, without a verdict, in a project that is not stopped.
fn due<'a>(cluster: &Cluster, target: &'a Target) -> Option<&'a str> {
    let target = target.version.as_deref().filter(|_| !cluster.project.stopped())?;
    let built = cluster.intact(target);
    (built && cluster.memory().state(target).failed.is_none()).then_some(target)
}

pub(super) fn a_good_target_serves(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let Some(due) = due(cluster, target) else { return Ok(()) };
    let ledger = cluster.memory();
    let life = ledger.state(due);
    if cluster.in_place() != Some(due) {
        return Err(format!("{due} is not in place"));
    }
    if cluster.complete() {
        let on_top = life.live == Some(ledger.last_live);
        return if on_top { Ok(()) } else { Err(format!("{due} serves but is not live last: {life:?}")) };
    }
    // A registry that loses an image again and again gets it after growing pauses.
    let waits = lost_at(&observe(cluster)).is_some_and(|at| at > timestamp(cluster.clock));
    if cluster.nature.is_good(due) && !waits {
        return Err(format!("{due} is good but does not serve"));
    }
    Ok(())
}

/// A running version that was never live ends with a verdict or goes live, whatever the target is.
pub(super) fn every_trial_ends(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let built = |version: &&str| cluster.built(version);
    let runs = cluster.in_place().filter(built).filter(|_| !cluster.project.stopped() && !cluster.forgotten);
    let Some(version) = runs else { return Ok(()) };
    let life = cluster.memory().state(version);
    if life.live.is_none() && life.failed.is_none() {
        Err(format!("{version} is still on trial"))
    } else {
        Ok(())
    }
}

pub(super) fn a_failed_version_is_replaced(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let ledger = cluster.memory();
    let failed = target.version.as_deref().filter(|target| ledger.state(target).failed.is_some());
    let last = previous(&ledger, &observe(cluster), None);
    let (Some(failed), Some(last)) = (failed, last) else { return Ok(()) };
    let stays = cluster.project.stopped() || !cluster.project.returns();
    if stays || cluster.in_place() != Some(failed) {
        Ok(())
    } else {
        Err(format!("{failed} failed and is still in place instead of {last}"))
    }
}

/// The backoffs are shorter than the time after which a project counts as settled.
pub(super) fn a_failure_with_an_outside_cause_was_retried(
    cluster: &Cluster,
    target: &Target,
) -> Result<(), String> {
    let ledger = cluster.memory();
    let waits = |target: &&str| ledger.state(target).retry_at(PAUSE).is_some();
    let Some(target) = target.version.as_deref().filter(waits) else { return Ok(()) };
    let kept = cluster.in_place().is_some_and(|version| {
        let life = ledger.state(version);
        let whole =
            cluster.deployment.as_ref().is_some_and(|there| there.template.stamp == life.good_restart);
        version != target && life.live.is_some() && whole && cluster.built(version)
    });
    let surges = cluster.project.rollout.strategy == doce_operator::crd::spec::Takeover::Surge;
    let commands =
        ledger.state(target).failed.is_some_and(|failed| failed.stage == "Init") && cluster.built(target);
    if commands && !cluster.project.stopped() {
        return Err(format!("the init command of {target} should have been retried"));
    }
    let due = kept && surges && cluster.complete() && !cluster.project.stopped() && cluster.project.returns();
    if due { Err(format!("{target} should have been retried")) } else { Ok(()) }
}

pub(super) fn every_restart_ends(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let built = |version: &&str| cluster.built(version);
    let recorded = |version: &&str| built(version) && !cluster.project.stopped();
    let Some(version) = cluster.in_place().filter(recorded) else { return Ok(()) };
    let life = cluster.memory().state(version);
    if life.live.is_some() && life.failed.is_none() && life.restarting() {
        Err(format!("{version}: {life:?}"))
    } else {
        Ok(())
    }
}

pub(super) fn at_most_two_sets_and_the_other_is_usable(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let Some(version) = cluster.in_place().filter(|_| !cluster.project.stopped() && cluster.complete())
    else {
        return Ok(());
    };
    let ledger = cluster.memory();
    if !cluster.built(version) {
        return Ok(()); // Its record was deleted, so its desired shape is unknown.
    }
    if ledger.state(version).live != Some(ledger.last_live) || ledger.state(version).failed.is_some() {
        return Ok(()); // It serves despite a verdict: the operator deletes nothing before that is resolved.
    }
    let place = cluster.deployment.as_ref().map(|deployment| &deployment.template);
    let others: Vec<_> = cluster.sets.keys().filter(|template| Some(*template) != place).collect();
    let usable = |template: &&&Template| {
        let Some(other) = template.version.as_deref() else { return false };
        let life = ledger.state(other);
        template.edit == 0
            && life.live.is_some()
            && life.failed.is_none()
            && life.good_restart == template.stamp
            && other != version
    };
    match others[..] {
        [] => Ok(()),
        [other] if usable(&&other) => Ok(()),
        _ => Err(format!("besides {place:?}: {others:?}")),
    }
}

/// A rollback gets the previous version that status names. If status offers none, the operator rejects a rollback.
pub(super) fn status_offers_what_a_rollback_would_get(
    cluster: &Cluster,
    target: &Target,
) -> Result<(), String> {
    let observed = observe(cluster);
    if target.left.is_none() || observed.ledger.is_none() {
        return Ok(()); // There is no version to leave.
    }
    let status = summarize(None, &cluster.project, &observed, None);
    let mut project = cluster.project.clone();
    project.requests.clear();
    project.requests.insert(RequestKind::Rollback, "previous@oracle".to_owned());
    let Some(Step::WriteLedger(after)) = decide(&project, &observed) else {
        return Err("a rollback gets no answer".to_owned());
    };
    let says = &after.handled[&RequestKind::Rollback].outcome;
    match status.previous_version {
        Some(version) if says.starts_with("rejected") || !says.contains(&version) => {
            Err(format!("status offers {version}, but the answer to a rollback is: {says}"))
        }
        None if !says.starts_with("rejected") => {
            Err(format!("status offers nothing, but the answer to a rollback is: {says}"))
        }
        _ => Ok(()),
    }
}
