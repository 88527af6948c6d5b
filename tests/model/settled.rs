//! Oracles that check a settled project. Each is a named function. The target comes from `reconcile::target`, which has
//! its own tests; everything else comes from the model.

mod running;

use doce_operator::crd::spec::Takeover;
use doce_operator::memory::ledger::Hold;
use doce_operator::project::DigestSource;
use doce_operator::reconcile::observed::Child;
use doce_operator::reconcile::observed::init::InitState;
use doce_operator::reconcile::target::{Pin, Target, target};

use super::cluster::Cluster;
use super::nature::{self, Building};
use super::observe::observe;
use super::oracles::Watch;
use super::play::Violation;

type Oracle = fn(&Cluster, &Target) -> Result<(), String>;

/// Each oracle with the children that it depends on. If the API server rejects one of them, the oracle does not apply.
const ORACLES: [(&str, &[Child], Oracle); 16] = [
    ("no_child_of_a_namesake_remains", &[], no_child_of_a_namesake_remains),
    (
        "every_child_has_its_labels_and_owner",
        &[Child::Ledger, Child::Record, Child::Job, Child::Deployment],
        every_child_has_its_labels_and_owner,
    ),
    ("the_service_matches_the_ledger", &[Child::Ledger, Child::Service], the_service_matches_the_ledger),
    (
        "the_deployment_matches_the_record",
        &[Child::Ledger, Child::Deployment],
        the_deployment_matches_the_record,
    ),
    ("every_request_is_handled", &[Child::Ledger], every_request_is_handled),
    ("a_lookup_is_answered_or_has_failed", &[Child::Ledger, Child::Job], a_lookup_is_answered_or_has_failed),
    (
        "the_target_is_built_or_has_a_verdict",
        &[Child::Ledger, Child::Record, Child::Job],
        the_target_is_built_or_has_a_verdict,
    ),
    ("a_good_target_serves", &[Child::Ledger, Child::Deployment, Child::Init], running::a_good_target_serves),
    ("every_trial_ends", &[Child::Ledger, Child::Deployment], running::every_trial_ends),
    (
        "a_failed_version_is_replaced",
        &[Child::Ledger, Child::Deployment],
        running::a_failed_version_is_replaced,
    ),
    (
        "a_failure_with_an_outside_cause_was_retried",
        &[Child::Ledger, Child::Deployment, Child::Init],
        running::a_failure_with_an_outside_cause_was_retried,
    ),
    ("every_restart_ends", &[Child::Ledger, Child::Deployment], running::every_restart_ends),
    (
        "at_most_two_sets_and_the_other_is_usable",
        &[Child::Ledger, Child::Deployment],
        running::at_most_two_sets_and_the_other_is_usable,
    ),
    ("no_build_still_runs", &[], no_build_still_runs),
    (
        "every_started_init_command_has_ended",
        &[Child::Ledger, Child::Record, Child::Init],
        every_started_init_command_has_ended,
    ),
    (
        "status_offers_what_a_rollback_would_get",
        &[Child::Ledger, Child::Record],
        running::status_offers_what_a_rollback_would_get,
    ),
];

/// Checks a settled project.
pub(crate) fn check(cluster: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    let target = target(&cluster.project, &observe(cluster));
    for (oracle, needs, look) in ORACLES {
        if !needs.iter().any(|child| cluster.server.refuses(*child)) {
            look(cluster, &target).map_err(|what| Violation { oracle, what })?;
        }
    }
    let refused = [Child::Deployment, Child::Ledger, Child::Init];
    if !refused.iter().any(|child| cluster.server.refuses(*child)) {
        an_accepted_rollback_takes_effect(cluster, &target, watch)
            .map_err(|what| Violation { oracle: "an_accepted_rollback_takes_effect", what })?;
    }
    if !cluster.server.refuses(Child::Ledger) {
        // By now every request has had its effect.
        watch.spent.extend(cluster.project.requests.clone());
    }
    Ok(())
}

/// Applies whatever was in progress at the time of the rollback, while the spec yields the version that was left.
fn an_accepted_rollback_takes_effect(
    cluster: &Cluster,
    target: &Target,
    watch: &Watch,
) -> Result<(), String> {
    let still = |hold: &&Hold| !cluster.project.stopped() && target.left.as_ref() == Some(&hold.left);
    let Some(hold) = watch.granted.as_ref().filter(still) else { return Ok(()) };
    let good = cluster.nature.is_good(&hold.target) && cluster.intact(&hold.target);
    if !good || cluster.in_place() == Some(&hold.target) { Ok(()) } else { Err(format!("{hold:?}")) }
}

fn no_child_of_a_namesake_remains(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if cluster.ghosts.is_empty() { Ok(()) } else { Err(format!("{:?}", cluster.ghosts)) }
}

fn every_child_has_its_labels_and_owner(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if cluster.lost_metadata.is_empty() { Ok(()) } else { Err(format!("{:?}", cluster.lost_metadata)) }
}

fn the_service_matches_the_ledger(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let remembered = cluster.memory().port;
    if !cluster.project.has_node_port {
        let portless = cluster.service.is_some_and(|service| service.port.is_none() && !service.edited);
        let same = portless && remembered.is_none();
        return if same {
            Ok(())
        } else {
            Err(format!("{:?} with {remembered:?} in the ledger", cluster.service))
        };
    }
    let wished = cluster.project.fixed_port.or(remembered);
    let taken = wished.is_some_and(|port| cluster.server.taken.contains(&port));
    match cluster.service {
        None if taken => Ok(()), // It waits until the port is free, and reports it.
        None => Err("the Service does not exist".to_owned()),
        Some(service) if remembered != service.port => Err(format!("{service:?} differs from the ledger")),
        Some(_) if taken => Ok(()), // It keeps its port.
        Some(service) if service.edited || wished != service.port => {
            Err(format!("{service:?} does not have the desired port {wished:?}"))
        }
        Some(_) => Ok(()),
    }
}

fn the_deployment_matches_the_record(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let Some(deployment) = &cluster.deployment else { return Ok(()) };
    let replicas = usize::try_from(cluster.project.replicas).unwrap_or(0);
    let known = cluster.in_place().is_some_and(|version| cluster.built(version));
    let replaces = cluster.project.rollout.strategy == Takeover::Replace;
    if known && replicas > 0 && deployment.replaces != replaces {
        return Err(format!("{deployment:?} has the wrong strategy"));
    }
    if deployment.replicas != replicas || known && replicas > 0 && deployment.template.edit != 0 {
        return Err(format!("{deployment:?} still has a manual change"));
    }
    Ok(())
}

fn every_request_is_handled(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let ledger = cluster.memory();
    match cluster.project.requests.iter().find(|(verb, value)| ledger.is_new(**verb, value)) {
        Some(request) => Err(format!("{request:?} is not handled")),
        None => Ok(()),
    }
}

fn a_lookup_is_answered_or_has_failed(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let DigestSource::LookedUp(of) = cluster.project.origin() else { return Ok(()) };
    if cluster.project.stopped() || matches!(target.pin, Pin::Known(_)) {
        return Ok(());
    }
    let lookup = cluster.memory().lookup.filter(|lookup| lookup.of == of);
    let Some(lookup) = lookup else { return Err("no lookup was requested".to_owned()) };
    let answered = lookup.answer.is_some_and(|answer| answer.number == lookup.number);
    if answered || lookup.attempts.cancelled { Ok(()) } else { Err(format!("{:?}", lookup.attempts)) }
}

fn the_target_is_built_or_has_a_verdict(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let Some(from_spec) =
        target.from_spec.as_ref().filter(|from_spec| target.desired.as_ref() == Some(&from_spec.version))
    else {
        return Ok(());
    };
    if !cluster.records.contains_key(&from_spec.version) {
        return Err("it has no record".to_owned());
    }
    let Some(key) = from_spec.key.as_ref().filter(|_| !cluster.intact(&from_spec.version)) else {
        return Ok(());
    };
    if cluster.project.stopped() || target.held {
        return Ok(());
    }
    let attempts = cluster.memory().attempts(key);
    // In the model, a ConfigMap and a commit may have the same digest. A lost image is built only from the kind of source
    // that it was built from.
    let of_config_map = |reference: &str| reference.starts_with("ConfigMap");
    let recorded = &cluster.records[&from_spec.version].facts.source.reference;
    if attempts.lost.is_some() && of_config_map(recorded) != of_config_map(&cluster.project.reference()) {
        return Ok(());
    }
    let source = nature::source(&from_spec.source.digest);
    let bad = nature::building(source, cluster.project.settings.epoch) == Building::Bad;
    if attempts.failed.is_some() && (bad || attempts.cancelled) {
        Ok(())
    } else {
        Err(format!("{attempts:?}"))
    }
}

fn no_build_still_runs(cluster: &Cluster, _: &Target) -> Result<(), String> {
    match cluster.jobs.values().find(|job| job.state.is_active()) {
        Some(job) => Err(format!("{:?} {:?}", job.of, job.state)),
        None => Ok(()),
    }
}

fn every_started_init_command_has_ended(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if let Some(job) = cluster.inits.values().find(|job| job.state == InitState::Running) {
        return Err(format!("{job:?}"));
    }
    match cluster.memory().init.filter(|run| !run.ended && !cluster.project.stopped()) {
        Some(run) => Err(format!("{run:?}")),
        None => Ok(()),
    }
}
