//! Oracles that check init commands. They read from the model what ran, not from the ledger.

use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::init::InitState;

use super::super::act::init_name;
use super::super::cluster::{PAUSE, timestamp};
use super::{Watch, Write};

pub(super) fn no_version_starts_before_its_init_command_ends(
    write: &Write<'_>,
    _: &mut Watch,
) -> Result<(), String> {
    let Step::ApplyDeployment(target) = write.step else { return Ok(()) };
    let Some(version) = target.version.as_ref() else { return Ok(()) };
    let has = write.before.nature.init_of(version).is_some();
    if has && !write.before.nature.initialized.contains(version) {
        return Err(format!("{version} starts before its init command succeeded"));
    }
    Ok(())
}

pub(super) fn no_two_init_commands_run_at_once(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Step::CreateInitJob { .. } = write.step else { return Ok(()) };
    let running: Vec<_> = write.after.inits.values().filter(|job| job.state == InitState::Running).collect();
    // An operator without its ledger and with stale Jobs cannot know.
    if running.len() > 1 && !write.after.forgotten { Err(format!("{running:?}")) } else { Ok(()) }
}

pub(super) fn an_init_command_runs_once(write: &Write<'_>, _: &mut Watch) -> Result<(), String> {
    let Step::CreateInitJob { version, number } = write.step else { return Ok(()) };
    let before = write.before;
    let new = !before.inits.contains_key(&init_name(version, *number));
    let known = !before.forgotten && !before.nature.swept;
    if new && known && before.nature.initialized.contains(version) {
        return Err(format!("the init command of {version} already succeeded"));
    }
    Ok(())
}

pub(super) fn an_init_command_is_retried_after_a_pause(
    write: &Write<'_>,
    _: &mut Watch,
) -> Result<(), String> {
    let Step::CreateInitJob { version, .. } = write.step else { return Ok(()) };
    let outside = write.seen.memory().state(version).outside;
    let next = outside.map(|outside| outside.next(PAUSE));
    match next.filter(|next| *next > timestamp(write.after.clock)) {
        Some(next) => Err(format!("{version} is retried before {next}")),
        None => Ok(()),
    }
}
