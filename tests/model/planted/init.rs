//! Bugs in the handling of init commands.

use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::Observed;

use super::{Planting, misremembered};

pub(super) const PLANTED: &[Planting] = &[
    Planting::of(
        "pods that do not wait for the init command",
        waits_for_nothing,
        &["no_version_starts_before_its_init_command_ends"],
    ),
    Planting::of(
        "an init command of a newer version beside a running one",
        runs_two,
        &["no_two_init_commands_run_at_once", "an_init_command_runs_once"],
    ),
    Planting::of(
        "an init command that succeeded and is forgotten",
        runs_again,
        &["an_init_command_runs_once", "the_project_settles", "a_good_target_serves"],
    ),
    Planting::of(
        "an init command that is retried at once",
        tries_at_once,
        &["an_init_command_is_retried_after_a_pause", "only_a_request_makes_a_hold_or_lifts_a_verdict"],
    ),
    Planting::of(
        "an init command whose result is never stored",
        never_ends,
        &["every_started_init_command_has_ended", "a_good_target_serves"],
    ),
];

fn waits_for_nothing(project: &Project, observed: &Observed) -> Option<Step> {
    let mut observed = observed.clone();
    observed.records.values_mut().for_each(|record| record.facts.init_command = None);
    decide(project, &observed)
}

fn runs_two(project: &Project, observed: &Observed) -> Option<Step> {
    let mut observed = observed.clone();
    let target = doce_operator::reconcile::target::target(project, &observed).version;
    if let Some(run) = observed.ledger.as_mut().and_then(|ledger| ledger.init.as_mut()) {
        run.ended |= target.as_ref() != Some(&run.version);
    }
    observed.inits.retain(|job| Some(&job.version) == target.as_ref());
    decide(project, &observed)
}

fn runs_again(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.versions.values_mut().for_each(|life| life.initialized = false);
    })
}

fn tries_at_once(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        let failed = ledger.versions.values_mut().filter(|life| life.outside.is_some());
        failed.filter(|life| life.failed.as_ref().is_some_and(|failed| failed.stage == "Init")).for_each(
            |life| {
                if let Some(outside) = &mut life.outside {
                    outside.at = jiff::Timestamp::UNIX_EPOCH;
                }
            },
        );
    })
    .map(|step| with_the_time_it_ended(step, observed))
}

/// Only the decision sees the wrong time; its write keeps the true one.
fn with_the_time_it_ended(mut step: Step, observed: &Observed) -> Step {
    if let (Step::WriteLedger(after), Some(before)) = (&mut step, &observed.ledger) {
        for (version, life) in &mut after.versions {
            if let (Some(outside), Some(was)) = (&mut life.outside, before.state(version).outside) {
                outside.at = outside.at.max(was.at);
            }
        }
    }
    step
}

fn never_ends(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let open =
        |ledger: &doce_operator::memory::ledger::Ledger| ledger.init.as_ref().is_some_and(|run| !run.ended);
    match &step {
        Some(Step::WriteLedger(after)) if observed.ledger.as_ref().is_some_and(open) && !open(after) => None,
        _ => step,
    }
}
