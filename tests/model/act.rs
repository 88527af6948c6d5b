//! Performs the writes of a step as the API server would: the ledger with compare-and-swap; creating an existing object
//! and deleting a missing one have no effect. This module decides nothing.

use doce_operator::crd::spec::Takeover;
use doce_operator::memory::ledger::Ledger;
use doce_operator::memory::record::{Facts, Record};
use doce_operator::project::Project;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::{DesiredDeployment, Step};
use doce_operator::reconcile::observed::init::InitState;
use doce_operator::reconcile::observed::{Child, JobState, Refusal};
use doce_operator::version::text_digest;

use super::cluster::{Cluster, DEADLINE, Deployment, GUARD, Init, Job, Port, Template, timestamp};
use super::namesake::NAME;
use super::nature;
use super::observe::set_name;
use super::server::child;

/// The result of a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The API server accepted it.
    Done,
    /// Another writer was faster.
    Conflict,
    /// The API server, or another owner of the name, rejects it.
    Refused(Refusal),
}

/// Performs a step that the operator decided with the state `seen`.
pub(crate) fn act(cluster: &mut Cluster, step: &Step, seen: &Cluster) -> Outcome {
    if seen.project.uid != cluster.project.uid {
        return haunt(cluster, step, seen);
    }
    if let Some(refusal) = cluster.refusal(step) {
        return Outcome::Refused(refusal);
    }
    let version = |cluster: &Cluster| cluster.ledger.as_ref().map(|(_, version)| *version);
    if matches!(step, Step::WriteLedger(_) | Step::AdoptLedger(_)) && version(cluster) != version(seen) {
        return Outcome::Conflict;
    }
    perform(cluster, step, &seen.project);
    cluster.touch();
    Outcome::Done
}

/// The project is deleted, and the operator does not know it: a new child has no owner, and a changed one no longer
/// exists.
fn haunt(cluster: &mut Cluster, step: &Step, seen: &Cluster) -> Outcome {
    let name = match step {
        Step::WriteLedger(_) if seen.ledger.is_none() && cluster.ledger.is_none() => NAME.to_owned(),
        Step::CreateRecord { version, .. } if !cluster.records.contains_key(version) => version.clone(),
        Step::CreateBuildJob { of, attempt, .. } => job_name(of, *attempt),
        Step::CreateInitJob { version, number } => init_name(version, *number),
        Step::ApplyDeployment(_) if seen.deployment.is_none() && cluster.deployment.is_none() => {
            NAME.to_owned()
        }
        Step::ApplyService { .. } if seen.service.is_none() && cluster.service.is_none() => NAME.to_owned(),
        _ => return Outcome::Conflict,
    };
    let kind = |child| if child == Child::Init { Child::Job } else { child };
    let ghost = child(step).map(|child| (kind(child), name));
    let new = ghost.filter(|ghost| !cluster.ghosts.contains(ghost));
    let outcome = if new.is_some() { Outcome::Done } else { Outcome::Conflict };
    cluster.ghosts.extend(new);
    cluster.touch();
    outcome
}

fn perform(cluster: &mut Cluster, step: &Step, project: &Project) {
    match step {
        Step::WriteLedger(ledger) => remember(cluster, ledger),
        Step::AdoptLedger(ledger) => {
            remember(cluster, ledger);
            cluster.orphaned_ledger = false;
            cluster.lost_metadata.retain(|lost_metadata| lost_metadata.child != Child::Ledger);
        }
        Step::CreateRecord { version, key, source, image, .. } => {
            let run = u8::try_from(project.run.port - 3000).expect("the model's ports are small");
            let origin = (nature::source(&source.digest), run);
            cluster.nature.origins.insert(version.clone(), origin);
            let facts = Facts {
                security: project.run.security,
                format: 1,
                version: version.clone(),
                key: key.clone(),
                source: source.clone(),
                init_command: project.run.init_command.clone(),
                ..Facts::default()
            };
            let created = Some(timestamp(cluster.clock));
            let record = Record { name: version.clone(), created, facts, image: image.clone(), lost: None };
            cluster.records.entry(version.clone()).or_insert(record);
        }
        Step::WriteImage { version, image } => {
            if let Some(record) = cluster.records.get_mut(version) {
                record.image = Some(image.clone());
            }
        }
        Step::CreateBuildJob { of, attempt, digest, .. } => {
            let job = Job {
                of: of.clone(),
                attempt: *attempt,
                state: JobState::Queued,
                order: project.clone(),
                digest: digest.clone(),
                since: cluster.clock,
                started: None,
            };
            cluster.jobs.entry(job_name(of, *attempt)).or_insert(job);
        }
        Step::CreateInitJob { version, number } => {
            let (state, since) = (InitState::Running, cluster.clock);
            let job = Init { version: version.clone(), number: *number, state, since };
            if cluster.built(version) {
                cluster.inits.entry(init_name(version, *number)).or_insert(job);
            }
        }
        Step::DeleteBuildJob { job } => {
            if let Some(job) = cluster.jobs.get_mut(job) {
                job.state = JobState::Ending;
                job.since = cluster.clock;
            }
        }
        // The model's images are in the platform's own registry, which the sweep cleans up.
        Step::CreateCleanupJob { .. }
        | Step::RecreateCleanupJob { .. }
        | Step::DeleteCleanupJob { .. }
        // No project of the model says who may connect.
        | Step::ApplyNetworkPolicy
        | Step::DeleteNetworkPolicy => {}
        Step::ApplyDeployment(target) => roll(cluster, target),
        Step::RepairMetadata(lost_metadata) => {
            cluster.lost_metadata.retain(|there| there != lost_metadata);
            if lost_metadata.child == Child::Deployment {
                cluster.deployment.iter_mut().for_each(|deployment| deployment.unowned = false);
            }
        }
        Step::ApplyService { port } => serve(cluster, *port, project),
        Step::DeleteReplicaSet { name } => {
            let scaled_since = |set: &super::cluster::Set| !set.pods.is_empty(); // The delete names its resourceVersion.
            cluster.sets.retain(|template, set| set_name(template) != *name || scaled_since(set));
        }
        Step::DeleteRecord { version } => {
            cluster.records.remove(version);
            cluster.lost_metadata.retain(|lost_metadata| {
                lost_metadata.child != Child::Record || lost_metadata.name != *version
            });
        }
    }
}

fn remember(cluster: &mut Cluster, ledger: &Ledger) {
    cluster.ledger = Some((ledger.clone(), cluster.changes + 1));
}

fn serve(cluster: &mut Cluster, port: Option<u16>, project: &Project) {
    if !project.has_node_port {
        cluster.service = Some(Port { port: None, edited: false });
        return;
    }
    let kept = cluster.service.and_then(|service| service.port);
    // The port that the project had before comes first, then its own candidate.
    let mut ports = cluster.memory().former_port.into_iter().chain(30_100..32_768);
    let free = ports.find(|port| !cluster.server.taken.contains(port));
    cluster.service = Some(Port { port: port.or(kept).or(free), edited: false });
}

fn roll(cluster: &mut Cluster, target: &DesiredDeployment) {
    let recorded = target
        .version
        .as_ref()
        .filter(|version| cluster.records.get(*version).is_some_and(|record| record.image.is_some()));
    if target.version.is_some() && recorded.is_none() {
        return; // There is no template.
    }
    let wished = recorded.map(|version| Template {
        version: Some(version.clone()),
        stamp: target.stamp.clone(),
        edit: 0,
        kubectl: restarted_by_kubectl(cluster, version, target.stamp.as_ref()),
    });
    if wished.is_some() {
        cluster.lost_metadata.retain(|there| there.child != Child::Deployment);
    }
    let replicas = usize::try_from(target.replicas).unwrap_or(0);
    let recorded_now = wished.is_some();
    let replaces = cluster.project.rollout.strategy == Takeover::Replace;
    match (&mut cluster.deployment, wished) {
        (None, None) => {}
        (None, Some(template)) => {
            let deployment = fresh(template, replicas, target.trial, cluster.clock);
            cluster.deployment = Some(Deployment { replaces, ..deployment });
        }
        (Some(deployment), wished) => {
            let template = wished.unwrap_or_else(|| deployment.template.clone());
            if template != deployment.template {
                deployment.guard = guard(target.trial);
                deployment.deadline = i64::from(DEADLINE) + deployment.guard;
                deployment.template = template;
            }
            if recorded_now {
                deployment.unowned = false;
                deployment.replaces = replaces;
            }
            deployment.replicas = replicas;
            deployment.generation += 1;
        }
    }
}

/// The restart annotation of the newest ReplicaSet with that version and stamp. Without one, the annotation stays.
fn restarted_by_kubectl(cluster: &Cluster, version: &str, stamp: Option<&String>) -> u8 {
    let is = |template: &Template| {
        template.version.as_deref() == Some(version) && template.stamp.as_ref() == stamp
    };
    let there = cluster.deployment.as_ref().map(|deployment| &deployment.template);
    if let Some(there) = there.filter(|there| is(there)) {
        return there.kubectl;
    }
    let sets = cluster.sets.iter().filter(|(template, _)| is(template));
    let kept = sets.max_by_key(|(_, set)| set.revision).map(|(template, _)| template);
    kept.or(there).map_or(0, |template| template.kubectl)
}

fn fresh(template: Template, replicas: usize, trial: bool, clock: i64) -> Deployment {
    Deployment {
        unowned: false,
        replaces: false,
        template,
        replicas,
        guard: guard(trial),
        deadline: i64::from(DEADLINE) + guard(trial),
        generation: 1,
        observed: 0,
        rolling: None,
        progressed: clock,
        complete: false,
        timed_out: false,
        counts: (0, 0, 0),
        available: 0,
    }
}

fn guard(trial: bool) -> i64 {
    if trial { i64::from(GUARD) } else { 0 }
}

/// The name of the Job for this attempt; always the same.
pub(crate) fn job_name(of: &BuildTarget, attempt: u32) -> String {
    format!("shop-{}", &text_digest(&format!("{of:?} {attempt}"))[..8])
}

/// The name of the Job that runs the init command of this version; always the same.
pub(crate) fn init_name(version: &str, number: u64) -> String {
    format!("shop-{}", &text_digest(&format!("init {version} {number}"))[..8])
}
