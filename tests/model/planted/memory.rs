//! Bugs in what the ledger stores, and when.

use doce_operator::memory::ledger::Failure;
use doce_operator::project::Project;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::Observed;
use doce_operator::reconcile::target::target;

use super::super::act::{Outcome, act};
use super::super::cluster::Cluster;
use super::super::operator::Program;
use super::{Planting, edited, misremembered};

pub(super) const PLANTED: &[Planting] = &[
    Planting {
        name: "a stale compare-and-swap",
        stale: true,
        program: Program { act: compares_with_the_newest, ..Program::REAL },
        by: &["the_ledger_forgets_nothing", "no_request_is_handled_twice"],
    },
    Planting::of(
        "a ledger that is written after the action",
        acts_first,
        &[
            "a_rollback_takes_effect",
            "a_needed_build_is_not_ended",
            "the_project_settles",
            "a_restart_takes_effect",
        ],
    ),
    Planting::of(
        "a verdict on a version that the operator returned to",
        judged_return,
        &["only_an_unhealthy_trial_is_judged"],
    ),
    Planting::of(
        "a verdict that is forgotten",
        forgotten_verdict,
        &[
            "the_project_settles",
            "only_a_request_makes_a_hold_or_lifts_a_verdict",
            "only_an_unhealthy_trial_is_judged",
        ],
    ),
    Planting::of("a hold that is not stored", forgotten_hold, &["a_rollback_takes_effect"]),
    Planting::of(
        "a hold that ends too early: with the next version on trial",
        hold_that_ends_early,
        &[
            "only_a_request_makes_a_hold_or_lifts_a_verdict",
            "a_rollback_takes_effect",
            "a_good_target_serves",
        ],
    ),
    Planting::of("a hold that never ends", hold_that_never_ends, &["a_good_target_serves"]),
    Planting::of("a port that is not stored", forgotten_port, &["the_port_never_changes"]),
    Planting::of("a loss of an image that is not stored", unnoted_loss, &["a_good_target_serves"]),
    Planting::of(
        "a report from before a loss that counts",
        old_report,
        &["the_project_settles", "a_good_target_serves"],
    ),
    Planting::of("a fault that is retried at once", no_pause, &["a_fault_is_retried_after_a_pause"]),
];

/// A former bug: the write names the resourceVersion of the newest ledger, not of the ledger that the decision used.
fn compares_with_the_newest(cluster: &mut Cluster, step: &Step, seen: &Cluster) -> Outcome {
    let mut newest = seen.clone();
    newest.ledger.clone_from(&cluster.ledger);
    act(cluster, step, &newest)
}

/// Pods may wait for an image that its registry does not have.
fn unnoted_loss(project: &Project, observed: &Observed) -> Option<Step> {
    let mut blind = observed.clone();
    blind.rollout.iter_mut().for_each(|rollout| rollout.missing_image = None);
    decide(project, &blind)
}

/// The Job that built the lost image looks like the one that replaces it.
fn old_report(project: &Project, observed: &Observed) -> Option<Step> {
    let mut fooled = observed.clone();
    for job in &mut fooled.jobs {
        if let BuildTarget::Key(key) = &job.of {
            let lost = observed.ledger.iter().filter_map(|ledger| ledger.builds.get(key));
            let lost = lost.filter(|attempts| attempts.lost.is_some()).map(|attempts| attempts.attempt);
            job.attempt = lost.max().unwrap_or(job.attempt);
        }
    }
    decide(project, &fooled)
}

/// Acts on the new ledger before writing it.
fn acts_first(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    let Some(Step::WriteLedger(after)) = &step else { return step };
    if observed.ledger.is_none() {
        return step;
    }
    let written = Observed { ledger: Some(after.as_ref().clone()), ..observed.clone() };
    match decide(project, &written) {
        Some(
            next @ (Step::ApplyDeployment(_) | Step::CreateBuildJob { .. } | Step::DeleteBuildJob { .. }),
        ) => Some(next),
        _ => step,
    }
}

fn judged_return(project: &Project, observed: &Observed) -> Option<Step> {
    let mut ledger = observed.ledger.clone().unwrap_or_default();
    let rollout = observed.rollout.clone().unwrap_or_default();
    let version = rollout.version.clone().filter(|version| {
        let back = target(project, observed).version.as_ref() != Some(version);
        let ill = rollout.current && rollout.replicas > 0 && !rollout.available;
        back && ill
            && ledger.state(version).failed.is_none()
            && observed.predecessors.is_empty()
            && !project.deleting
    });
    let Some(version) = version.filter(|_| rollout.deadline_over || rollout.hopeless.is_some()) else {
        return decide(project, observed);
    };
    ledger.versions.entry(version).or_default().failed = Some(Failure::default());
    Some(Step::WriteLedger(Box::new(ledger)))
}

fn forgotten_verdict(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        ledger.versions.values_mut().for_each(|life| life.failed = None);
    })
}

fn forgotten_hold(project: &Project, observed: &Observed) -> Option<Step> {
    edited(decide(project, observed), |ledger| ledger.hold = None)
}

/// A version that failed on trial ends the hold, as a live one would.
fn hold_that_ends_early(project: &Project, observed: &Observed) -> Option<Step> {
    misremembered(project, observed, |ledger| {
        let tried = ledger.versions.values().any(|life| life.failed.is_some());
        ledger.hold = ledger.hold.take().filter(|_| !tried);
    })
}

fn hold_that_never_ends(project: &Project, observed: &Observed) -> Option<Step> {
    let for_ever = u64::MAX;
    let made = observed.ledger.as_ref().and_then(|ledger| ledger.hold.clone());
    let step = misremembered(project, observed, |ledger| {
        ledger.hold.iter_mut().for_each(|hold| hold.since = for_ever);
    });
    edited(step, |ledger| {
        if ledger.hold.as_ref().is_some_and(|hold| hold.since == for_ever) {
            ledger.hold = made; // The stored ledger is right.
        }
    })
}

fn forgotten_port(project: &Project, observed: &Observed) -> Option<Step> {
    match decide(project, observed) {
        Some(Step::ApplyService { .. }) => Some(Step::ApplyService { port: project.fixed_port }),
        step => step,
    }
}

fn no_pause(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { retry_base: 0, ..observed.clone() })
}
