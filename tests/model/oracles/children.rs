//! Oracles that check the effect of a write on the children.

use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::JobState;
use doce_operator::reconcile::target::target;

use super::super::cluster::{Cluster, PAUSE, Set, Template, timestamp};
use super::super::observe::set_name;
use super::memory::is_of_init;
use super::{Watch, Write, ledgers};

/// The operator writes nothing while children of a deleted namesake exist or the project is being deleted.
pub(super) fn the_operator_waits_for_a_namesake_to_go(
    write: &Write<'_>,
    _: &mut Watch,
) -> Result<(), String> {
    if write.seen.project.deleting {
        return Err("the project is being deleted".to_owned());
    }
    match write.seen.ghosts.first() {
        Some(ghost) => Err(format!("{ghost:?} of a deleted namesake still exists")),
        None => Ok(()),
    }
}

/// The next attempt after a fault waits for the backoff.
pub(super) fn a_fault_is_retried_after_a_pause(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Step::CreateBuildJob { of, .. } = write.step else { return Ok(()) };
    let ledger = write.seen.memory();
    let attempts = match of {
        BuildTarget::Key(key) => ledger.attempts(key),
        BuildTarget::Lookup(_) => ledger.lookup.map(|lookup| lookup.attempts).unwrap_or_default(),
    };
    let left = attempts.fault.map_or(0, |fault| fault.left(PAUSE, timestamp(write.after.clock)));
    if left > 0 { Err(format!("{of:?} is retried {left} s too early")) } else { Ok(()) }
}

pub(super) fn nothing_is_built_twice(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Step::CreateBuildJob { of, .. } = write.step else { return Ok(()) };
    watch.builds += 1;
    let BuildTarget::Key(key) = of else { return Ok(()) };
    let built = |record: &&doce_operator::memory::record::Record| {
        record.facts.key.as_ref() == Some(key) && record.image.is_some()
    };
    match write.observed.records.values().find(built) {
        Some(record) => Err(format!("{} has that image", record.name)),
        None => Ok(()),
    }
}

pub(super) fn the_previous_version_is_kept(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let ledger = write.seen.memory();
    let in_place = write.seen.in_place();
    let others = ledger.versions.iter().filter(|(version, life)| {
        Some(version.as_str()) != in_place && life.failed.is_none() && write.seen.built(version)
    });
    let kept = others
        .filter_map(|(version, life)| Some((life.live?, version.as_str())))
        .max()
        .map(|(_, version)| version);
    match write.step {
        Step::DeleteRecord { version } => {
            let hold =
                ledger.hold.as_ref().is_some_and(|hold| hold.left == *version || hold.target == *version);
            let pinned = write.seen.project.pin.as_ref().is_some_and(|pin| version.starts_with(pin.as_str()));
            let runs = write.observed.sets.iter().any(|set| set.version.as_ref() == Some(version));
            let why = [
                (kept == Some(version), "it is the previous version"),
                (in_place == Some(version), "it is in place"),
                (hold, "a hold names it"),
                (pinned, "it is pinned"),
                (runs, "it has a ReplicaSet"),
            ];
            why.iter().find(|(is, _)| *is).map_or(Ok(()), |(_, why)| Err(format!("{version}: {why}")))
        }
        Step::DeleteReplicaSet { name } => {
            let pods = write.observed.sets.iter().any(|set| set.name == *name && set.pods > 0);
            let set = write.before.sets.keys().find(|template| set_name(template) == *name);
            let good = |version: &str| ledger.state(version).good_restart;
            // `kubectl rollout restart` creates a newer one, which serves a rollback as well.
            let newer = |template: &Template| {
                let revision = write.before.sets[template].revision;
                let same = |(other, set): (&Template, &Set)| {
                    (&other.version, &other.stamp, other.edit) == (&template.version, &template.stamp, 0)
                        && set.revision > revision
                };
                write.before.sets.iter().any(same)
            };
            match (set, kept) {
                _ if pods => Err(format!("{name} has pods")),
                (Some(template), Some(kept))
                    if template.version.as_deref() == Some(kept)
                        && template.stamp == good(kept)
                        && template.edit == 0
                        && !newer(template) =>
                {
                    Err(format!("{name}: it belongs to the previous version"))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

pub(super) fn a_stopped_project_is_left_unchanged(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    if !write.seen.project.stopped() {
        return Ok(());
    }
    let template =
        |cluster: &Cluster| cluster.deployment.as_ref().map(|deployment| deployment.template.clone());
    let ledger = ledgers(write);
    let judged = ledger.as_ref().is_some_and(|(before, after)| {
        after.versions.iter().any(|(version, life)| {
            // A started init command continues, and the operator stores its result.
            let failed = life.failed.as_ref().is_some_and(|failed| !is_of_init(failed));
            life.live != before.state(version).live || failed && before.state(version).failed.is_none()
        })
    });
    match write.step {
        Step::CreateBuildJob { .. } | Step::DeleteReplicaSet { .. } => Err("it is stopped".to_owned()),
        Step::ApplyDeployment(_) if template(write.before) != template(write.after) => {
            Err("its template changed".to_owned())
        }
        Step::WriteLedger(_) if judged => Err("a version of it was judged".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn the_port_never_changes(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let port_of = |cluster: &Cluster| cluster.service.and_then(|service| service.port);
    let port = port_of(write.after);
    let memory = write.before.memory();
    // A port that was given back goes to the first that asks, until the ledger has one again (docs/decisions/0063).
    let given_back = memory.port.is_none() && memory.former_port.is_some();
    if (write.before.ledger.is_none() || given_back) && port_of(write.before).is_none() {
        watch.port = None; // The port is no longer known.
    }
    let newest = |cluster: &Cluster| cluster.ledger.as_ref().map(|(_, version)| *version);
    let object = |cluster: &Cluster| cluster.project.resource_version;
    let stale = newest(write.seen) != newest(write.before)
        || object(write.seen) != object(write.before)
        || write.seen.service != write.before.service;
    // The port of the spec, or of the spec as a stale read saw it.
    let had = stale && port.is_some_and(|port| watch.ports.contains(&port));
    if port.is_some() && (port == write.seen.project.fixed_port || had) {
        watch.port = port;
    }
    let was = watch.port.or(port);
    watch.port = was;
    watch.ports.extend(was);
    if port.is_some() && port != was { Err(format!("{was:?} became {port:?}")) } else { Ok(()) }
}

pub(super) fn a_needed_build_is_not_ended(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Step::DeleteBuildJob { job } = write.step else { return Ok(()) };
    let Some(job) = write.seen.jobs.get(job) else { return Ok(()) };
    let BuildTarget::Key(key) = &job.of else { return Ok(()) };
    let target = target(&write.seen.project, write.observed);
    let target = target
        .version
        .and_then(|target| write.seen.records.get(&target))
        .and_then(|record| record.facts.key.clone());
    let attempts = write.seen.memory().attempts(key);
    let waits_in_vain = job.state == JobState::Queued && write.seen.project.stopped();
    let goes_on = attempts.failed.is_none() && attempts.attempt == job.attempt && !waits_in_vain;
    let image = write.observed.image_of(key).is_some();
    if target.as_ref() == Some(key) && goes_on && !image {
        Err("its version is the target".to_owned())
    } else {
        Ok(())
    }
}
