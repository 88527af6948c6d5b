//! Oracles that look at what a write does to the memory.

use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::{Failure, Ledger};
use doce_operator::reconcile::observed::init::InitState;

use super::super::cluster::{PAUSE, timestamp};
use super::{Watch, Write, ledgers};

/// Whoever writes it knows all that was known: nothing is unlearned by the way.
pub(super) fn the_memory_forgets_nothing(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    if let Some((verb, seen)) = before.handled.iter().find(|(verb, seen)| after.is_new(**verb, &seen.value)) {
        return Err(format!("{verb:?} {:?} is forgotten", seen.value));
    }
    let number = |ledger: &Ledger| ledger.lookup.as_ref().map_or(0, |lookup| lookup.number);
    let run = |ledger: &Ledger| ledger.init.as_ref().map_or(0, |run| run.number);
    if run(&after) < run(&before) {
        return Err("the number of a run went back".to_owned());
    }
    if after.last_live < before.last_live || number(&after) < number(&before) || after.object < before.object
    {
        return Err("a running number went back".to_owned());
    }
    for (key, attempts) in &after.builds {
        if attempts.attempt < before.attempts(key).attempt {
            return Err(format!("build {key} goes back to attempt {}", attempts.attempt));
        }
    }
    match (before.port, after.port) {
        (Some(was), None) => Err(format!("port {was} is forgotten")),
        _ => Ok(()),
    }
}

pub(super) fn live_is_only_what_was_ready(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let (before, after) = (write.before.memory(), write.after.memory());
    for (version, life) in &after.versions {
        if life.live != before.state(version).live && !watch.complete.contains(version) {
            return Err(format!("{version} was never complete"));
        }
    }
    Ok(())
}

pub(super) fn a_return_is_never_judged(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (version, life) in &after.versions {
        let was = before.state(version);
        if life.failed.is_none() || was.failed.is_some() {
            continue;
        }
        if was.live.is_some() {
            return Err(format!("{version} was live and is judged"));
        }
        if life.failed.as_ref().is_some_and(is_of_init) {
            if write.seen.inits.values().any(|job| job.version == *version && failed(&job.state)) {
                continue;
            }
            return Err(format!("the init command of {version} did not fail and is judged"));
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

/// Its pods were never started.
pub(super) fn is_of_init(failure: &Failure) -> bool {
    failure.stage == "Init"
}

fn failed(state: &InitState) -> bool {
    matches!(state, InitState::Failed(_))
}

pub(super) fn no_request_is_acted_on_twice(write: &Write<'_>, watch: &mut Watch) -> Result<(), String> {
    let Some((before, after)) = ledgers(write) else { return Ok(()) };
    for (verb, seen) in &after.handled {
        if before.is_new(*verb, &seen.value) && !watch.spent.insert((*verb, seen.value.clone())) {
            return Err(format!("{verb:?} {:?} was there before", seen.value));
        }
    }
    Ok(())
}

/// What a rollback left had never been looked up, and this write says what it turned out to be.
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
    let asked = |verb: Verb| after.handled.get(&verb).is_some_and(|seen| before.is_new(verb, &seen.value));
    let told = just_told(&before, &after);
    if told
        && after
            .hold
            .as_ref()
            .is_some_and(|hold| Some(&hold.left) == wish(&before).map(|(left, _)| left).as_ref())
    {
        return Err("the hold goes on to leave a lookup that is answered".to_owned());
    }
    let wishes = [&before, &after]
        .map(|ledger| wish(ledger).map(|(left, target)| (Some(left).filter(|_| !told), target)));
    if wishes[0] != wishes[1] && !asked(Verb::Rollback) {
        return Err("the hold changed without a rollback".to_owned());
    }
    for (version, life) in &after.versions {
        let was = before.state(version);
        let went_live = life.live != was.live;
        let over = was.tried_again_at(PAUSE).is_some_and(|at| timestamp(write.before.clock) >= at);
        // What was seen must have served then: a trial takes nothing from it.
        let serves = write.seen.complete() && write.seen.in_place() != Some(version);
        let again = over && (serves || was.failed.as_ref().is_some_and(is_of_init));
        if was.failed.is_some() && life.failed.is_none() && !asked(Verb::Retry) && !went_live && !again {
            return Err(format!("the verdict on {version} was lifted without a retry"));
        }
    }
    for (key, attempts) in &after.builds {
        let was = before.attempts(key);
        let lifted =
            was.failed.is_some() && attempts.failed.is_none() || was.cancelled && !attempts.cancelled;
        if lifted && !asked(Verb::Retry) {
            return Err(format!("the verdict on build {key} was lifted without a retry"));
        }
    }
    Ok(())
}
