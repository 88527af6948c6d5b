//! Bugs in rollouts and verdicts.

use doce_operator::crd::spec::OnFailure;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{DesiredDeployment, Step, decide};
use doce_operator::reconcile::observed::Observed;
use doce_operator::reconcile::target::target;

use super::Planting;

pub(super) const PLANTED: &[Planting] = &[
    Planting::of("a verdict before the deadline", hasty_verdict, &["only_an_unhealthy_trial_is_judged"]),
    Planting::of(
        "a version that is live before it is ready",
        live_before_ready,
        &["only_a_complete_version_becomes_live"],
    ),
    Planting::of(
        "a version that is live with some of its pods",
        partly_live,
        &["only_a_complete_version_becomes_live"],
    ),
    Planting::of("a failed version that stays in place", stays, &["a_failed_version_is_replaced"]),
    Planting::of(
        "a restart that is not reverted",
        restart_stays,
        &["every_restart_ends", "a_failed_version_is_replaced", "a_good_target_serves"],
    ),
    Planting::of(
        "a stop that changes the template",
        stop_moves,
        &["a_stopped_project_is_left_unchanged", "the_project_settles"],
    ),
    Planting::of(
        "replicas that are only written with a template",
        never_scales,
        &["the_deployment_matches_the_record"],
    ),
    Planting::of(
        "a status of an older generation that counts",
        old_status,
        &["only_a_complete_version_becomes_live", "only_an_unhealthy_trial_is_judged"],
    ),
];

fn hasty_verdict(project: &Project, observed: &Observed) -> Option<Step> {
    let mut hasty = observed.clone();
    if let Some(rollout) = &mut hasty.rollout {
        rollout.deadline_over = rollout.current && !rollout.available;
    }
    decide(project, &hasty)
}

fn live_before_ready(project: &Project, observed: &Observed) -> Option<Step> {
    let mut rosy = observed.clone();
    if let Some(rollout) = &mut rosy.rollout {
        rollout.available = rollout.replicas > 0;
    }
    decide(project, &rosy)
}

fn partly_live(project: &Project, observed: &Observed) -> Option<Step> {
    let mut rosy = observed.clone();
    if let Some(rollout) = &mut rosy.rollout {
        rollout.available |= rollout.current && rollout.replicas > 1 && rollout.serving > 0;
    }
    decide(project, &rosy)
}

fn old_status(project: &Project, observed: &Observed) -> Option<Step> {
    let mut rosy = observed.clone();
    if let Some(rollout) = rosy.rollout.as_mut().filter(|rollout| !rollout.current && rollout.serving > 0) {
        rollout.current = true;
        rollout.available = rollout.replicas > 0; // As for the previous template.
    }
    decide(project, &rosy)
}

fn stays(project: &Project, observed: &Observed) -> Option<Step> {
    let mut stays = project.clone();
    stays.rollout.on_failure = OnFailure::Stay;
    decide(&stays, observed)
}

fn restart_stays(project: &Project, observed: &Observed) -> Option<Step> {
    let before = observed.ledger.clone().unwrap_or_default();
    let step = decide(project, observed);
    let Some(Step::WriteLedger(after)) = &step else { return step };
    let taken_back = after.versions.iter().any(|(version, life)| {
        let was = before.state(version);
        was.restarting() && life.restart == life.good_restart && life.good_restart == was.good_restart
    });
    if taken_back { None } else { step }
}

fn stop_moves(project: &Project, observed: &Observed) -> Option<Step> {
    match decide(project, observed) {
        Some(Step::ApplyDeployment(desired @ DesiredDeployment { version: None, .. })) => {
            let built =
                |version: &String| observed.records.get(version).is_some_and(|record| record.image.is_some());
            let version = target(project, observed).version.filter(built);
            Some(Step::ApplyDeployment(DesiredDeployment { version, ..desired }))
        }
        step => step,
    }
}

fn never_scales(project: &Project, observed: &Observed) -> Option<Step> {
    match decide(project, observed) {
        Some(Step::ApplyDeployment(target))
            if observed.rollout.as_ref().is_some_and(|rollout| {
                rollout.version == target.version && rollout.stamp == target.stamp && rollout.in_sync
            }) =>
        {
            None
        }
        step => step,
    }
}
