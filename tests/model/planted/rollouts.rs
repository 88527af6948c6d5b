//! Bugs in what runs and what is made of it.

use doce_operator::crd::spec::OnFailure;
use doce_operator::project::Project;
use doce_operator::reconcile::decide::{DesiredDeployment, Step, decide};
use doce_operator::reconcile::observed::Observed;
use doce_operator::reconcile::target::target;

use super::Planting;

pub(super) const PLANTED: &[Planting] = &[
    Planting::of("a verdict before the deadline", hasty_verdict, &["a_return_is_never_judged"]),
    Planting::of("a version that is live before it is ready", rosy, &["live_is_only_what_was_ready"]),
    Planting::of(
        "a version that is live with some of its pods",
        partly_live,
        &["live_is_only_what_was_ready"],
    ),
    Planting::of("a failed version that nobody leaves", stays, &["what_failed_is_left"]),
    Planting::of(
        "a restart that is not taken back",
        restart_stays,
        &["a_restart_is_over", "what_failed_is_left", "what_is_wanted_and_good_serves"],
    ),
    Planting::of(
        "a stop that changes the template",
        stop_moves,
        &["a_stopped_project_is_left_as_it_is", "it_comes_to_rest"],
    ),
    Planting::of(
        "replicas that are only written with a template",
        never_scales,
        &["the_deployment_is_what_was_recorded"],
    ),
    Planting::of(
        "a status that is about an older generation and counts",
        old_status,
        &["live_is_only_what_was_ready", "a_return_is_never_judged"],
    ),
];

fn hasty_verdict(project: &Project, observed: &Observed) -> Option<Step> {
    let mut hasty = observed.clone();
    if let Some(rollout) = &mut hasty.rollout {
        rollout.deadline_over = rollout.current && !rollout.available;
    }
    decide(project, &hasty)
}

fn rosy(project: &Project, observed: &Observed) -> Option<Step> {
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
        rollout.available = rollout.replicas > 0; // As it was for the template before.
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
        Some(Step::ApplyDeployment(DesiredDeployment { version: None, stamp, replicas, trial })) => {
            let built =
                |version: &String| observed.records.get(version).is_some_and(|record| record.image.is_some());
            let version = target(project, observed).version.filter(built);
            Some(Step::ApplyDeployment(DesiredDeployment { version, stamp, replicas, trial }))
        }
        step => step,
    }
}

fn never_scales(project: &Project, observed: &Observed) -> Option<Step> {
    match decide(project, observed) {
        Some(Step::ApplyDeployment(target))
            if observed.rollout.as_ref().is_some_and(|rollout| {
                rollout.version == target.version && rollout.stamp == target.stamp && rollout.faithful
            }) =>
        {
            None
        }
        step => step,
    }
}
