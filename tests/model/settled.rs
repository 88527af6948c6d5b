//! Oracles that look when the project is at rest. Each is a function with a name; what is wanted is derived by `asked`,
//! which has its own tests, everything else is looked up in the model.

mod running;

use doce_operator::crd::spec::Takeover;
use doce_operator::memory::ledger::Hold;
use doce_operator::project::Origin;
use doce_operator::reconcile::observed::Child;
use doce_operator::reconcile::observed::init::InitState;
use doce_operator::reconcile::target::{Pin, Target, target};

use super::cluster::Cluster;
use super::nature::{self, Building};
use super::observe::observe;
use super::oracles::Watch;
use super::play::Violation;

type Oracle = fn(&Cluster, &Target) -> Result<(), String>;

/// Each with the children without which it cannot be so: where one of them is refused, it is not demanded.
const ORACLES: [(&str, &[Child], Oracle); 16] = [
    ("nothing_is_left_of_a_namesake", &[], nothing_is_left_of_a_namesake),
    (
        "every_child_has_its_marks",
        &[Child::Ledger, Child::Record, Child::Job, Child::Deployment],
        every_child_has_its_marks,
    ),
    ("the_service_is_what_was_recorded", &[Child::Ledger, Child::Service], the_service_is_what_was_recorded),
    (
        "the_deployment_is_what_was_recorded",
        &[Child::Ledger, Child::Deployment],
        the_deployment_is_what_was_recorded,
    ),
    ("every_request_is_seen", &[Child::Ledger], every_request_is_seen),
    ("a_lookup_is_answered_or_has_failed", &[Child::Ledger, Child::Job], a_lookup_is_answered_or_has_failed),
    (
        "what_is_wanted_is_built_or_has_a_verdict",
        &[Child::Ledger, Child::Record, Child::Job],
        what_is_wanted_is_built_or_has_a_verdict,
    ),
    (
        "what_is_wanted_and_good_serves",
        &[Child::Ledger, Child::Deployment, Child::Init],
        running::what_is_wanted_and_good_serves,
    ),
    (
        "nothing_is_on_trial_for_ever",
        &[Child::Ledger, Child::Deployment],
        running::nothing_is_on_trial_for_ever,
    ),
    ("what_failed_is_left", &[Child::Ledger, Child::Deployment], running::what_failed_is_left),
    (
        "what_failed_for_a_cause_outside_was_tried_again",
        &[Child::Ledger, Child::Deployment, Child::Init],
        running::what_failed_for_a_cause_outside_was_tried_again,
    ),
    ("a_restart_is_over", &[Child::Ledger, Child::Deployment], running::a_restart_is_over),
    (
        "at_most_two_sets_and_the_other_is_usable",
        &[Child::Ledger, Child::Deployment],
        running::at_most_two_sets_and_the_other_is_usable,
    ),
    ("no_build_goes_on", &[], no_build_goes_on),
    (
        "an_init_command_that_was_begun_has_ended",
        &[Child::Ledger, Child::Record, Child::Init],
        an_init_command_that_was_begun_has_ended,
    ),
    (
        "status_offers_what_would_be_granted",
        &[Child::Ledger, Child::Record],
        running::status_offers_what_would_be_granted,
    ),
];

/// Looks at a project at rest.
pub(crate) fn check(cluster: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    let target = target(&cluster.project, &observe(cluster));
    for (oracle, needs, look) in ORACLES {
        if !needs.iter().any(|child| cluster.server.refuses(*child)) {
            look(cluster, &target).map_err(|what| Violation { oracle, what })?;
        }
    }
    let refused = [Child::Deployment, Child::Ledger, Child::Init];
    if !refused.iter().any(|child| cluster.server.refuses(*child)) {
        a_rollback_that_was_granted_arrives(cluster, &target, watch)
            .map_err(|what| Violation { oracle: "a_rollback_that_was_granted_arrives", what })?;
    }
    if !cluster.server.refuses(Child::Ledger) {
        // Whatever a request was to cause has happened by now.
        watch.spent.extend(cluster.project.requests.clone());
    }
    Ok(())
}

/// Whatever was under way when it was granted, as long as the spec asks for what was left.
fn a_rollback_that_was_granted_arrives(
    cluster: &Cluster,
    target: &Target,
    watch: &Watch,
) -> Result<(), String> {
    let still = |hold: &&Hold| !cluster.project.stopped() && target.left.as_ref() == Some(&hold.left);
    let Some(hold) = watch.granted.as_ref().filter(still) else { return Ok(()) };
    let good = cluster.nature.is_good(&hold.target) && cluster.records.contains_key(&hold.target);
    if !good || cluster.in_place() == Some(&hold.target) { Ok(()) } else { Err(format!("{hold:?}")) }
}

fn nothing_is_left_of_a_namesake(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if cluster.ghosts.is_empty() { Ok(()) } else { Err(format!("{:?}", cluster.ghosts)) }
}

fn every_child_has_its_marks(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if cluster.unmarked.is_empty() { Ok(()) } else { Err(format!("{:?}", cluster.unmarked)) }
}

fn the_service_is_what_was_recorded(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let remembered = cluster.memory().port;
    let wished = cluster.project.fixed_port.or(remembered);
    let taken = wished.is_some_and(|port| cluster.server.taken.contains(&port));
    match cluster.service {
        None if taken => Ok(()), // It waits until somebody frees the port, and says so.
        None => Err("there is no Service".to_owned()),
        Some(service) if remembered != Some(service.port) => {
            Err(format!("{service:?} is not what is remembered"))
        }
        Some(_) if taken => Ok(()), // It keeps the port that it has.
        Some(service) if service.edited || wished != Some(service.port) => {
            Err(format!("{service:?} is not what is asked for: {wished:?}"))
        }
        Some(_) => Ok(()),
    }
}

fn the_deployment_is_what_was_recorded(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let Some(deployment) = &cluster.deployment else { return Ok(()) };
    let replicas = usize::try_from(cluster.project.replicas).unwrap_or(0);
    let known = cluster
        .in_place()
        .is_some_and(|version| cluster.records.get(version).is_some_and(|record| record.image.is_some()));
    let replaces = cluster.project.rollout.strategy == Takeover::Replace;
    if known && replicas > 0 && deployment.replaces != replaces {
        return Err(format!("{deployment:?} has another strategy"));
    }
    if deployment.replicas != replicas || known && replicas > 0 && deployment.template.edit != 0 {
        return Err(format!("{deployment:?} stays as somebody left it"));
    }
    Ok(())
}

fn every_request_is_seen(cluster: &Cluster, _: &Target) -> Result<(), String> {
    let ledger = cluster.memory();
    match cluster.project.requests.iter().find(|(verb, value)| ledger.is_new(**verb, value)) {
        Some(request) => Err(format!("{request:?} is not")),
        None => Ok(()),
    }
}

fn a_lookup_is_answered_or_has_failed(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let Origin::LookedUp(of) = cluster.project.origin() else { return Ok(()) };
    if cluster.project.stopped() || matches!(target.pin, Pin::Known(_)) {
        return Ok(());
    }
    let lookup = cluster.memory().lookup.filter(|lookup| lookup.of == of);
    let Some(lookup) = lookup else { return Err("it is not even asked for".to_owned()) };
    let answered = lookup.answer.is_some_and(|answer| answer.number == lookup.number);
    if answered || lookup.attempts.cancelled { Ok(()) } else { Err(format!("{:?}", lookup.attempts)) }
}

fn what_is_wanted_is_built_or_has_a_verdict(cluster: &Cluster, target: &Target) -> Result<(), String> {
    let Some(from_spec) =
        target.from_spec.as_ref().filter(|from_spec| target.desired.as_ref() == Some(&from_spec.version))
    else {
        return Ok(());
    };
    let Some(record) = cluster.records.get(&from_spec.version) else {
        return Err("it has no record".to_owned());
    };
    let (Some(key), None) = (&from_spec.key, &record.image) else { return Ok(()) };
    if cluster.project.stopped() || target.held {
        return Ok(());
    }
    let attempts = cluster.memory().attempts(key);
    let source = nature::source(&from_spec.source.digest);
    let bad = nature::building(source, cluster.project.settings.epoch) == Building::Bad;
    if attempts.failed.is_some() && (bad || attempts.cancelled) {
        Ok(())
    } else {
        Err(format!("{attempts:?}"))
    }
}

fn no_build_goes_on(cluster: &Cluster, _: &Target) -> Result<(), String> {
    match cluster.jobs.values().find(|job| job.state.is_active()) {
        Some(job) => Err(format!("{:?} {:?}", job.of, job.state)),
        None => Ok(()),
    }
}

fn an_init_command_that_was_begun_has_ended(cluster: &Cluster, _: &Target) -> Result<(), String> {
    if let Some(job) = cluster.inits.values().find(|job| job.state == InitState::Running) {
        return Err(format!("{job:?}"));
    }
    match cluster.memory().init.filter(|run| !run.ended && !cluster.project.stopped()) {
        Some(run) => Err(format!("{run:?}")),
        None => Ok(()),
    }
}
