//! Oracles that look when the project is at rest. Each is a function with a name; what is wanted is derived by `asked`,
//! which has its own tests, everything else is looked up in the model.

use doce_operator::ledger::Hold;
use doce_operator::project::Origin;
use doce_operator::reconcile::asked::{Asked, Pin, asked, newest_live};

use super::cluster::Cluster;
use super::nature::{self, Building};
use super::observe::observe;
use super::oracles::Watch;
use super::play::Violation;

type Oracle = fn(&Cluster, &Asked) -> Result<(), String>;

const ORACLES: [(&str, Oracle); 9] = [
    ("the_deployment_is_what_was_recorded", the_deployment_is_what_was_recorded),
    ("every_request_is_seen", every_request_is_seen),
    ("a_lookup_is_answered_or_has_failed", a_lookup_is_answered_or_has_failed),
    ("what_is_wanted_is_built_or_has_a_verdict", what_is_wanted_is_built_or_has_a_verdict),
    ("what_is_wanted_and_good_serves", what_is_wanted_and_good_serves),
    ("what_failed_is_left", what_failed_is_left),
    ("a_restart_is_over", a_restart_is_over),
    ("at_most_two_sets_and_the_other_is_usable", at_most_two_sets_and_the_other_is_usable),
    ("no_build_goes_on", no_build_goes_on),
];

/// Looks at a project at rest.
pub(crate) fn check(cluster: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    let asked = asked(&cluster.project, &observe(cluster));
    for (oracle, look) in ORACLES {
        look(cluster, &asked).map_err(|what| Violation { oracle, what })?;
    }
    a_rollback_that_was_granted_arrives(cluster, &asked, watch)
        .map_err(|what| Violation { oracle: "a_rollback_that_was_granted_arrives", what })?;
    // Whatever a request was to cause has happened by now.
    watch.spent.extend(cluster.project.requests.clone());
    Ok(())
}

/// Whatever was under way when it was granted, as long as the spec asks for what was left.
fn a_rollback_that_was_granted_arrives(
    cluster: &Cluster,
    asked: &Asked,
    watch: &Watch,
) -> Result<(), String> {
    let still = |hold: &&Hold| !cluster.project.stopped() && asked.version.as_ref() == Some(&hold.left);
    let Some(hold) = watch.granted.as_ref().filter(still) else { return Ok(()) };
    let good = cluster.nature.is_good(&hold.target) && cluster.records.contains_key(&hold.target);
    if !good || cluster.in_place() == Some(&hold.target) { Ok(()) } else { Err(format!("{hold:?}")) }
}

fn the_deployment_is_what_was_recorded(cluster: &Cluster, _: &Asked) -> Result<(), String> {
    let Some(service) = cluster.service else { return Err("there is no Service".to_owned()) };
    if service.edited || cluster.memory().port != Some(service.port) {
        return Err(format!("{service:?} is not what is remembered"));
    }
    let Some(deployment) = &cluster.deployment else { return Ok(()) };
    let replicas = usize::try_from(cluster.project.replicas).unwrap_or(0);
    let known = cluster
        .in_place()
        .is_some_and(|version| cluster.records.get(version).is_some_and(|record| record.image.is_some()));
    if deployment.replicas != replicas || known && replicas > 0 && deployment.template.edit != 0 {
        return Err(format!("{deployment:?} stays as somebody left it"));
    }
    Ok(())
}

fn every_request_is_seen(cluster: &Cluster, _: &Asked) -> Result<(), String> {
    let ledger = cluster.memory();
    match cluster.project.requests.iter().find(|(verb, value)| ledger.is_new(**verb, value)) {
        Some(request) => Err(format!("{request:?} is not")),
        None => Ok(()),
    }
}

fn a_lookup_is_answered_or_has_failed(cluster: &Cluster, asked: &Asked) -> Result<(), String> {
    let Origin::LookedUp(of) = cluster.project.origin() else { return Ok(()) };
    if cluster.project.stopped() || matches!(asked.pin, Pin::Known(_)) {
        return Ok(());
    }
    let lookup = cluster.memory().lookup.filter(|lookup| lookup.of == of);
    let Some(lookup) = lookup else { return Err("it is not even asked for".to_owned()) };
    let answered = lookup.answer.is_some_and(|answer| answer.number == lookup.number);
    if answered || lookup.attempts.cancelled { Ok(()) } else { Err(format!("{:?}", lookup.attempts)) }
}

fn what_is_wanted_is_built_or_has_a_verdict(cluster: &Cluster, asked: &Asked) -> Result<(), String> {
    let Some(yielded) =
        asked.yielded.as_ref().filter(|yielded| asked.version.as_ref() == Some(&yielded.version))
    else {
        return Ok(());
    };
    let Some(record) = cluster.records.get(&yielded.version) else {
        return Err("it has no record".to_owned());
    };
    let (Some(key), None) = (&yielded.key, &record.image) else { return Ok(()) };
    if cluster.project.stopped() || asked.held {
        return Ok(());
    }
    let attempts = cluster.memory().attempts(key);
    let source = nature::source(&yielded.source.digest);
    let bad = nature::building(source, cluster.project.settings.epoch) == Building::Bad;
    if attempts.failed.is_some() && (bad || attempts.cancelled) {
        Ok(())
    } else {
        Err(format!("{attempts:?}"))
    }
}

/// The version that should run: wanted, with an image, no verdict, and pods are asked for.
fn due<'a>(cluster: &Cluster, asked: &'a Asked) -> Option<&'a str> {
    let wanted = asked.wanted.as_deref().filter(|_| !cluster.project.stopped())?;
    let built = cluster.records.get(wanted).is_some_and(|record| record.image.is_some());
    (built && cluster.memory().life(wanted).failed.is_none()).then_some(wanted)
}

fn what_is_wanted_and_good_serves(cluster: &Cluster, asked: &Asked) -> Result<(), String> {
    let Some(due) = due(cluster, asked) else { return Ok(()) };
    let ledger = cluster.memory();
    let life = ledger.life(due);
    if cluster.in_place() != Some(due) {
        return Err(format!("{due} is not in place"));
    }
    if cluster.complete() {
        let on_top = life.live == Some(ledger.last);
        return if on_top { Ok(()) } else { Err(format!("{due} serves and is not live on top: {life:?}")) };
    }
    if cluster.nature.is_good(due) {
        return Err(format!("{due} is good and does not serve"));
    }
    if life.live.is_none() && !cluster.forgotten {
        Err(format!("{due} is on trial for ever"))
    } else {
        Ok(())
    }
}

fn what_failed_is_left(cluster: &Cluster, asked: &Asked) -> Result<(), String> {
    let ledger = cluster.memory();
    let failed = asked.wanted.as_deref().filter(|wanted| ledger.life(wanted).failed.is_some());
    let (Some(failed), Some(last)) = (failed, newest_live(&ledger, None)) else { return Ok(()) };
    let had = cluster.records.get(&last).is_some_and(|record| record.image.is_some());
    let stays = cluster.project.stopped() || !cluster.project.returns() || !had;
    if stays || cluster.in_place() != Some(failed) {
        Ok(())
    } else {
        Err(format!("{failed} failed and is in place, not {last}"))
    }
}

fn a_restart_is_over(cluster: &Cluster, _: &Asked) -> Result<(), String> {
    let built = |version: &&str| cluster.records.get(*version).is_some_and(|record| record.image.is_some());
    let recorded = |version: &&str| built(version) && !cluster.project.stopped();
    let Some(version) = cluster.in_place().filter(recorded) else { return Ok(()) };
    let life = cluster.memory().life(version);
    if life.live.is_some() && life.failed.is_none() && life.restarting() {
        Err(format!("{version}: {life:?}"))
    } else {
        Ok(())
    }
}

fn at_most_two_sets_and_the_other_is_usable(cluster: &Cluster, _: &Asked) -> Result<(), String> {
    let Some(version) = cluster.in_place().filter(|_| !cluster.project.stopped() && cluster.complete())
    else {
        return Ok(());
    };
    let ledger = cluster.memory();
    if cluster.records.get(version).is_none_or(|record| record.image.is_none()) {
        return Ok(()); // Somebody deleted its record: nobody knows how it should be.
    }
    if ledger.life(version).live != Some(ledger.last) || ledger.life(version).failed.is_some() {
        return Ok(()); // It serves against a verdict: nothing is thrown away before that is resolved.
    }
    let place = cluster.deployment.as_ref().map(|deployment| &deployment.template);
    let others: Vec<_> = cluster.sets.keys().filter(|template| Some(*template) != place).collect();
    let usable = |template: &&&super::cluster::Template| {
        let Some(other) = template.version.as_deref() else { return false };
        let life = ledger.life(other);
        template.edit == 0
            && life.live.is_some()
            && life.failed.is_none()
            && life.good == template.stamp
            && other != version
    };
    match others[..] {
        [] => Ok(()),
        [other] if usable(&&other) => Ok(()),
        _ => Err(format!("besides {place:?}: {others:?}")),
    }
}

fn no_build_goes_on(cluster: &Cluster, _: &Asked) -> Result<(), String> {
    match cluster.jobs.values().find(|job| job.state.is_active()) {
        Some(job) => Err(format!("{:?} {:?}", job.of, job.state)),
        None => Ok(()),
    }
}
