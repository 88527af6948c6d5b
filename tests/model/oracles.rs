//! Oracles that look at every write and every moment. Each is a function with a name; none of them asks the decision.

use std::collections::{BTreeMap, BTreeSet};

use doce_operator::crd::annotations::Verb;
use doce_operator::ledger::{Hold, Ledger};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::world::{BuildOf, JobState, World};

use super::cluster::Cluster;
use super::observe::set_name;
use super::play::Violation;

/// One write, with what it rested on.
pub(crate) struct Write<'a> {
    pub(crate) before: &'a Cluster,
    /// What the operator saw: the same as `before` unless its reads were stale.
    pub(crate) seen: &'a Cluster,
    pub(crate) world: &'a World,
    pub(crate) step: &'a Step,
    pub(crate) after: &'a Cluster,
}

/// What the oracles remember.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Versions that were seen complete, in any template.
    pub(crate) complete: BTreeSet<String>,
    /// Versions that were ill in place, and when last.
    pub(crate) ill: BTreeMap<String, i64>,
    /// Requests that were acted on or refused.
    pub(crate) spent: BTreeSet<(Verb, String)>,
    /// The last hold, until somebody wishes for something else.
    pub(crate) granted: Option<Hold>,
    /// The port, once there was one.
    pub(crate) port: Option<u16>,
    /// Builds that were started.
    pub(crate) builds: usize,
}

type Oracle = fn(&Write<'_>, &mut Watch) -> Result<(), String>;

const ORACLES: [(&str, Oracle); 9] = [
    ("live_is_only_what_was_ready", live_is_only_what_was_ready),
    ("a_return_is_never_judged", a_return_is_never_judged),
    ("no_request_is_acted_on_twice", no_request_is_acted_on_twice),
    ("only_a_request_makes_a_hold_or_lifts_a_verdict", only_a_request_makes_a_hold_or_lifts_a_verdict),
    ("nothing_is_built_twice", nothing_is_built_twice),
    ("what_one_would_go_back_to_is_kept", what_one_would_go_back_to_is_kept),
    ("a_stopped_project_is_left_as_it_is", a_stopped_project_is_left_as_it_is),
    ("the_port_never_changes", the_port_never_changes),
    ("a_build_that_is_wanted_goes_on", a_build_that_is_wanted_goes_on),
];

/// Looks at a write.
pub(crate) fn check(write: &Write<'_>, watch: &mut Watch) -> Result<(), Violation> {
    for (oracle, look) in ORACLES {
        look(write, watch).map_err(|what| Violation { oracle, what })?;
    }
    moment(write.before, write.after, watch)
}

/// Looks at any change that is no event.
pub(crate) fn moment(before: &Cluster, after: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    if let Some(version) = after.in_place().map(str::to_owned) {
        if after.complete() {
            watch.complete.insert(version.clone());
        } else if after.deployment.as_ref().is_some_and(|deployment| deployment.replicas > 0) {
            let sets = after.sets.iter().filter(|(template, _)| template.version.as_ref() == Some(&version));
            let sick = sets.into_iter().any(|(_, set)| set.pods.iter().any(|pod| pod.sick.is_some()));
            if sick || !after.nature.is_good(&version) {
                watch.ill.insert(version, after.clock);
            }
        }
    }
    no_service_is_lost(before, after).map_err(|what| Violation { oracle: "no_service_is_lost", what })
}

/// As long as nature keeps a version good, its pods go only when as many others answer.
fn no_service_is_lost(before: &Cluster, after: &Cluster) -> Result<(), String> {
    let good = before.sets.iter().filter(|(template, _)| {
        template
            .version
            .as_deref()
            .is_some_and(|version| before.nature.health(version) == super::nature::Health::Good)
    });
    let pods = good.flat_map(|(_, set)| &set.pods).filter(|pod| pod.ready.is_some() && pod.sick.is_none());
    let scaled = before.deployment.as_ref().map_or(0, |deployment| deployment.replicas);
    let wished = usize::try_from(after.project.replicas).unwrap_or(0).min(scaled);
    let (needed, there) = (pods.count().min(wished), after.ready());
    if there < needed {
        Err(format!("{needed} good pods answered and are asked for, {there} are left"))
    } else {
        Ok(())
    }
}

/// The ledger before and after, if this write changed it and there was one.
fn ledgers(write: &Write<'_>) -> Option<(Ledger, Ledger)> {
    let ((before, was), (after, is)) = (write.before.ledger.clone()?, write.after.ledger.clone()?);
    (was != is).then_some((before, after))
}

fn live_is_only_what_was_ready(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let (before, after) = (write.before.memory(), write.after.memory());
    for (version, life) in &after.versions {
        if life.live != before.life(version).live && !watch.complete.contains(version) {
            return Err(format!("{version} was never complete"));
        }
    }
    Ok(())
}

fn a_return_is_never_judged(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (version, life) in &after.versions {
        let was = before.life(version);
        if life.failed.is_none() || was.failed.is_some() {
            continue;
        }
        if was.live.is_some() {
            return Err(format!("{version} was live and is judged"));
        }
        let stamp = write.seen.deployment.as_ref().and_then(|deployment| deployment.template.stamp.clone());
        if stamp != was.restart {
            return Err(format!("{version} is judged by pods that are about to be started anew"));
        }
        let recently = watch.ill.get(version).is_some_and(|clock| clock + 60 >= write.after.clock);
        if !recently {
            return Err(format!("{version} is judged and was not ill"));
        }
    }
    Ok(())
}

fn no_request_is_acted_on_twice(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (verb, seen) in &after.seen {
        if before.is_new(*verb, &seen.value) && !watch.spent.insert((*verb, seen.value.clone())) {
            return Err(format!("{verb:?} {:?} was there before", seen.value));
        }
    }
    Ok(())
}

fn only_a_request_makes_a_hold_or_lifts_a_verdict(
    write: &Write<'_>,
    watch: &mut Watch,
) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    let wish = |ledger: &Ledger| ledger.hold.clone().map(|hold| (hold.left, hold.target));
    if after.hold != before.hold {
        watch.granted.clone_from(&after.hold);
    }
    let asked = |verb: Verb| after.seen.get(&verb).is_some_and(|seen| before.is_new(verb, &seen.value));
    if wish(&after) != wish(&before) && !asked(Verb::Rollback) {
        return Err("the hold changed without a rollback".to_owned());
    }
    for (version, life) in &after.versions {
        let was = before.life(version);
        let went_live = life.live != was.live;
        if was.failed.is_some() && life.failed.is_none() && !asked(Verb::Retry) && !went_live {
            return Err(format!("the verdict on {version} was lifted without a retry"));
        }
    }
    for (key, attempts) in &after.builds {
        if before.attempts(key).failed.is_some() && attempts.failed.is_none() && !asked(Verb::Retry) {
            return Err(format!("the verdict on build {key} was lifted without a retry"));
        }
    }
    Ok(())
}

fn nothing_is_built_twice(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Step::Build { of, .. } = write.step else { return Ok(()) };
    watch.builds += 1;
    let BuildOf::Key(key) = of else { return Ok(()) };
    let built = |record: &&doce_operator::record::Record| {
        record.facts.key.as_ref() == Some(key) && record.image.is_some()
    };
    match write.seen.records.values().find(built) {
        Some(record) => Err(format!("{} has that image", record.name)),
        None => Ok(()),
    }
}

fn what_one_would_go_back_to_is_kept(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let ledger = write.seen.memory();
    let in_place = write.seen.in_place();
    let others = ledger
        .versions
        .iter()
        .filter(|(version, life)| Some(version.as_str()) != in_place && life.failed.is_none());
    let kept = others
        .filter_map(|(version, life)| Some((life.live?, version.as_str())))
        .max()
        .map(|(_, version)| version);
    match write.step {
        Step::ForgetRecord { version } => {
            let hold =
                ledger.hold.as_ref().is_some_and(|hold| hold.left == *version || hold.target == *version);
            let pinned = write.seen.project.pin.as_ref().is_some_and(|pin| version.starts_with(pin.as_str()));
            let runs = write.world.sets.iter().any(|set| set.version.as_ref() == Some(version));
            let why = [
                (kept == Some(version), "one would go back to it"),
                (in_place == Some(version), "it is in place"),
                (hold, "a hold names it"),
                (pinned, "it is pinned"),
                (runs, "it has a ReplicaSet"),
            ];
            why.iter().find(|(is, _)| *is).map_or(Ok(()), |(_, why)| Err(format!("{version}: {why}")))
        }
        Step::ForgetSet { name } => {
            let pods = write.world.sets.iter().any(|set| set.name == *name && set.pods > 0);
            let set = write.before.sets.keys().find(|template| set_name(template) == *name);
            let good = |version: &str| ledger.life(version).good;
            let keep = kept
                .filter(|kept| write.seen.records.get(*kept).is_some_and(|record| record.image.is_some()));
            match (set, keep) {
                _ if pods => Err(format!("{name} has pods")),
                (Some(template), Some(kept))
                    if template.version.as_deref() == Some(kept)
                        && template.stamp == good(kept)
                        && template.edit == 0 =>
                {
                    Err(format!("{name}: one would go back to it"))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn a_stopped_project_is_left_as_it_is(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    if !write.seen.project.stopped() {
        return Ok(());
    }
    let template =
        |cluster: &Cluster| cluster.deployment.as_ref().map(|deployment| deployment.template.clone());
    let ledger = ledgers(write);
    let judged = ledger.as_ref().is_some_and(|(before, after)| {
        after.versions.iter().any(|(version, life)| {
            life.live != before.life(version).live
                || life.failed.is_some() && before.life(version).failed.is_none()
        })
    });
    match write.step {
        Step::Build { .. } | Step::ForgetSet { .. } => Err("it is stopped".to_owned()),
        Step::Roll(_) if template(write.before) != template(write.after) => {
            Err("its template changed".to_owned())
        }
        Step::Ledger(_) if judged => Err("a version of it was judged".to_owned()),
        _ => Ok(()),
    }
}

fn the_port_never_changes(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let port = write.after.service.map(|service| service.port);
    if write.before.ledger.is_none() && write.before.service.is_none() {
        watch.port = None; // Nobody knows it any more.
    }
    let was = watch.port.or(port);
    watch.port = was;
    if port.is_some() && port != was { Err(format!("{was:?} became {port:?}")) } else { Ok(()) }
}

fn a_build_that_is_wanted_goes_on(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Step::EndBuild { job } = write.step else { return Ok(()) };
    let Some(job) = write.seen.jobs.get(job) else { return Ok(()) };
    let BuildOf::Key(key) = &job.of else { return Ok(()) };
    let asked = doce_operator::reconcile::asked::asked(&write.seen.project, write.world);
    let wanted = asked
        .wanted
        .and_then(|wanted| write.seen.records.get(&wanted))
        .and_then(|record| record.facts.key.clone());
    let attempts = write.seen.memory().attempts(key);
    let waits_in_vain = job.state == JobState::Queued && write.seen.project.stopped();
    let goes_on = attempts.failed.is_none() && attempts.attempt == job.attempt && !waits_in_vain;
    let image = write.world.image_of(key).is_some();
    if wanted.as_ref() == Some(key) && goes_on && !image {
        Err("its version is wanted".to_owned())
    } else {
        Ok(())
    }
}
