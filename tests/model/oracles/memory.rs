//! Oracles that check the effect of a write on the ledger.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Failure, Ledger};
use doce_operator::reconcile::observed::init::InitState;

use super::super::cluster::{PAUSE, timestamp};
use super::{Watch, Write, ledgers};

/// A write of the ledger keeps everything that the ledger knew.
pub(super) fn the_ledger_forgets_nothing(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    if let Some((verb, seen)) = before.handled.iter().find(|(verb, seen)| after.is_new(**verb, &seen.value)) {
        return Err(format!("{verb:?} {:?} was forgotten", seen.value));
    }
    let number = |ledger: &Ledger| ledger.lookup.as_ref().map_or(0, |lookup| lookup.number);
    let run = |ledger: &Ledger| ledger.init.as_ref().map_or(0, |run| run.number);
    if run(&after) < run(&before) {
        return Err("the number of an init run decreased".to_owned());
    }
    if after.last_live < before.last_live || number(&after) < number(&before) || after.object < before.object
    {
        return Err("a sequence number decreased".to_owned());
    }
    for (key, attempts) in &after.builds {
        if attempts.attempt < before.attempts(key).attempt {
            return Err(format!("build {key} returns to attempt {}", attempts.attempt));
        }
    }
    // The spec may ask for no port. The ledger then knows which one the project had.
    match (before.port, after.port.or(after.former_port)) {
        (Some(was), None) => Err(format!("port {was} was forgotten")),
        _ => Ok(()),
    }
}

pub(super) fn only_a_complete_version_becomes_live(
    write: &Write<'_>,
    watch: &mut Watch,
) -> Result<(), String> {
    let (before, after) = (write.before.memory(), write.after.memory());
    for (version, life) in &after.versions {
        if life.live != before.state(version).live && !watch.complete.contains(version) {
            return Err(format!("{version} was never complete"));
        }
    }
    Ok(())
}

pub(super) fn only_an_unhealthy_trial_is_judged(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (version, life) in &after.versions {
        let was = before.state(version);
        if life.failed.is_none() || was.failed.is_some() {
            continue;
        }
        if was.live.is_some() {
            return Err(format!("{version} was live but gets a verdict"));
        }
        if life.failed.as_ref().is_some_and(is_of_init) {
            if write.seen.inits.values().any(|job| job.version == *version && failed(&job.state)) {
                continue;
            }
            return Err(format!("the init command of {version} did not fail but gets a verdict"));
        }
        let stamp = write.seen.deployment.as_ref().and_then(|deployment| deployment.template.stamp.clone());
        if stamp != was.restart {
            return Err(format!("{version} gets a verdict from pods that are about to be replaced"));
        }
        let recently = watch.ill.get(version).is_some_and(|clock| clock + 60 >= write.after.clock);
        // An event may have made it ill just now.
        if !recently && write.before.nature.is_good(version) && !write.before.lacks_image(version) {
            return Err(format!("{version} gets a verdict but was healthy"));
        }
    }
    Ok(())
}

/// The init command failed, so no pods of the version were started.
pub(super) fn is_of_init(failure: &Failure) -> bool {
    failure.stage == "Init"
}

fn failed(state: &InitState) -> bool {
    matches!(state, InitState::Failed(_))
}

pub(super) fn no_request_is_handled_twice(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (verb, seen) in &after.handled {
        if before.is_new(*verb, &seen.value) && !watch.spent.insert((*verb, seen.value.clone())) {
            return Err(format!("{verb:?} {:?} was already handled", seen.value));
        }
    }
    Ok(())
}

/// This write stores the first answer of a lookup that a rollback left.
fn just_told(before: &Ledger, after: &Ledger) -> bool {
    let open = before.lookup.as_ref().filter(|lookup| lookup.answer.is_none());
    let answered = after.lookup.as_ref().is_some_and(|lookup| lookup.answer.is_some());
    let left = before.hold.as_ref().map(|hold| &hold.left);
    answered && open.is_some_and(|lookup| Some(&lookup.of) == left)
}

pub(super) fn only_a_request_makes_a_hold_or_lifts_a_verdict(
    write: &Write<'_>,
    watch: &mut Watch,
) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    let wish = |ledger: &Ledger| ledger.hold.clone().map(|hold| (hold.left, hold.target));
    if after.hold != before.hold {
        watch.granted.clone_from(&after.hold);
    }
    let asked =
        |verb: RequestKind| after.handled.get(&verb).is_some_and(|seen| before.is_new(verb, &seen.value));
    let told = just_told(&before, &after);
    if told
        && after
            .hold
            .as_ref()
            .is_some_and(|hold| Some(&hold.left) == wish(&before).map(|(left, _)| left).as_ref())
    {
        return Err("the hold still leaves a lookup that has an answer".to_owned());
    }
    let wishes = [&before, &after]
        .map(|ledger| wish(ledger).map(|(left, target)| (Some(left).filter(|_| !told), target)));
    if wishes[0] != wishes[1] && !asked(RequestKind::Rollback) {
        return Err("the hold changed without a rollback".to_owned());
    }
    for (version, life) in &after.versions {
        let was = before.state(version);
        let went_live = life.live != was.live;
        let over = was.retry_at(PAUSE).is_some_and(|at| timestamp(write.before.clock) >= at);
        // The seen version must serve: a trial may start only beside a complete version.
        let serves = write.seen.complete() && write.seen.in_place() != Some(version);
        let again = over && (serves || was.failed.as_ref().is_some_and(is_of_init));
        if was.failed.is_some() && life.failed.is_none() && !asked(RequestKind::Retry) && !went_live && !again
        {
            return Err(format!("the verdict on {version} was lifted without a retry"));
        }
    }
    for (key, attempts) in &after.builds {
        let was = before.attempts(key);
        let lifted =
            was.failed.is_some() && attempts.failed.is_none() || was.cancelled && !attempts.cancelled;
        if lifted && !asked(RequestKind::Retry) {
            return Err(format!("the verdict on build {key} was lifted without a retry"));
        }
    }
    Ok(())
}
