//! What a step writes, as the API server would take it: the ledger by compare-and-swap, creates that find the object
//! there and deletes that find it gone without effect. It decides nothing.

use doce_operator::ledger::Ledger;
use doce_operator::reconcile::decide::{Step, Target};
use doce_operator::reconcile::world::{BuildOf, JobState};
use doce_operator::record::{Facts, Record};
use doce_operator::version::text_digest;

use super::cluster::{Cluster, DEADLINE, Deployment, GUARD, Job, Port, Template, timestamp};
use super::nature;
use super::observe::set_name;

/// Performs a step that was decided with the ledger of resourceVersion `seen`.
pub(crate) fn act(cluster: &mut Cluster, step: &Step, seen: Option<u64>) {
    match step {
        Step::Ledger(ledger) => remember(cluster, ledger, seen),
        Step::Record { version, key, source, image, .. } => {
            let run = u8::try_from(cluster.project.run.port - 3000).expect("the model's ports are small");
            let origin = (nature::source(&source.digest), run);
            cluster.nature.origins.insert(version.clone(), origin);
            let facts = Facts {
                format: 1,
                version: version.clone(),
                key: key.clone(),
                source: source.clone(),
                ..Facts::default()
            };
            let created = Some(timestamp(cluster.clock));
            let record = Record { name: version.clone(), created, facts, image: image.clone() };
            cluster.records.entry(version.clone()).or_insert(record);
        }
        Step::Image { version, image } => {
            if let Some(record) = cluster.records.get_mut(version) {
                record.image = Some(image.clone());
            }
        }
        Step::Build { of, attempt, digest, .. } => {
            let order = cluster.project.clone();
            let job = Job {
                of: of.clone(),
                attempt: *attempt,
                state: JobState::Queued,
                order,
                digest: digest.clone(),
                since: cluster.clock,
                started: None,
            };
            cluster.jobs.entry(job_name(of, *attempt)).or_insert(job);
        }
        Step::EndBuild { job } => {
            if let Some(job) = cluster.jobs.get_mut(job) {
                job.state = JobState::Ending;
                job.since = cluster.clock;
            }
        }
        Step::Roll(target) => roll(cluster, target),
        Step::Mark(_) => {} // Nobody takes labels or owners here.
        Step::Serve { port } => {
            let kept = cluster.service.map(|service| service.port);
            let free = 30_100 + u16::try_from(cluster.changes % 100).unwrap_or(0); // Another one each time.
            cluster.service = Some(Port { port: port.or(kept).unwrap_or(free), edited: false });
        }
        Step::ForgetSet { name } => {
            let scaled_since = |set: &super::cluster::Set| !set.pods.is_empty(); // The delete names its resourceVersion.
            cluster.sets.retain(|template, set| set_name(template) != *name || scaled_since(set));
        }
        Step::ForgetRecord { version } => {
            cluster.records.remove(version);
        }
    }
    cluster.touch();
}

fn remember(cluster: &mut Cluster, ledger: &Ledger, seen: Option<u64>) {
    if cluster.ledger.as_ref().map(|(_, version)| *version) == seen {
        cluster.ledger = Some((ledger.clone(), cluster.changes + 1));
    }
}

fn roll(cluster: &mut Cluster, target: &Target) {
    let recorded = target
        .version
        .as_ref()
        .filter(|version| cluster.records.get(*version).is_some_and(|record| record.image.is_some()));
    if target.version.is_some() && recorded.is_none() {
        return; // There is no template to write.
    }
    let wished = recorded.map(|version| Template {
        version: Some(version.clone()),
        stamp: target.stamp.clone(),
        edit: 0,
    });
    let replicas = usize::try_from(target.replicas).unwrap_or(0);
    match (&mut cluster.deployment, wished) {
        (None, None) => {}
        (None, Some(template)) => {
            cluster.deployment = Some(fresh(template, replicas, target.trial, cluster.clock));
        }
        (Some(deployment), wished) => {
            let template = wished.unwrap_or_else(|| deployment.template.clone());
            if template != deployment.template {
                deployment.guard = guard(target.trial);
                deployment.deadline = i64::from(DEADLINE) + deployment.guard;
                deployment.template = template;
            }
            deployment.replicas = replicas;
            deployment.generation += 1;
        }
    }
}

fn fresh(template: Template, replicas: usize, trial: bool, clock: i64) -> Deployment {
    Deployment {
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
    }
}

fn guard(trial: bool) -> i64 {
    if trial { i64::from(GUARD) } else { 0 }
}

/// Name of the Job for this attempt: always the same.
pub(crate) fn job_name(of: &BuildOf, attempt: u32) -> String {
    format!("shop-{}", &text_digest(&format!("{of:?} {attempt}"))[..8])
}
