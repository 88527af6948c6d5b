//! Bugs in the handling of children: kept, deleted, rejected, or owned by another project.

use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::{Child, Observed};

use super::Planting;

pub(super) const PLANTED: &[Planting] = &[
    Planting::of("pruning by age", prunes_by_age, &["the_previous_version_is_kept"]),
    Planting::of(
        "a kept ReplicaSet that is deleted",
        deletes_the_kept_set,
        &["the_previous_version_is_kept"],
    ),
    Planting::of(
        "a failed version's ReplicaSet that is kept",
        keeps_every_set,
        &["at_most_two_sets_and_the_other_is_usable"],
    ),
    Planting::of(
        "no wait for the children of a deleted namesake",
        does_not_wait_for_a_namesake,
        &["the_operator_waits_for_a_namesake_to_go"],
    ),
    Planting::of(
        "a project that is being deleted and still managed",
        manages_a_deleted_project,
        &["the_operator_waits_for_a_namesake_to_go"],
    ),
    Planting::of(
        "a rejected port that blocks everything else",
        rejected_port_blocks_the_rest,
        &[
            "a_good_target_serves",
            "at_most_two_sets_and_the_other_is_usable",
            "the_target_is_built_or_has_a_verdict",
            "a_lookup_is_answered_or_has_failed",
            "a_rollback_takes_effect",
            "every_request_is_handled",
        ],
    ),
    Planting::of(
        "a rejected write that is retried in the same pass",
        retries_in_the_same_pass,
        &["the_project_settles"],
    ),
    Planting::of("a child without its labels", never_marks, &["every_child_has_its_labels_and_owner"]),
    Planting::of(
        "a fixed port that is ignored",
        ignores_fixed_port,
        &["the_service_matches_the_ledger", "the_port_never_changes"],
    ),
    Planting::of(
        "a build that goes on after the project was stopped",
        builds_while_stopped,
        &["a_stopped_project_is_left_unchanged"],
    ),
];

fn prunes_by_age(project: &Project, observed: &Observed) -> Option<Step> {
    match decide(project, observed) {
        Some(Step::DeleteRecord { .. }) => {
            let oldest = observed.records.values().min_by_key(|record| record.created)?;
            Some(Step::DeleteRecord { version: oldest.facts.version.clone() })
        }
        step => step,
    }
}

fn deletes_the_kept_set(project: &Project, observed: &Observed) -> Option<Step> {
    let goes = project.stopped() || project.deleting || !observed.predecessors.is_empty();
    let idle = || observed.sets.iter().find(|set| set.pods == 0 && !set.current && !goes);
    decide(project, observed).or_else(|| idle().map(|set| Step::DeleteReplicaSet { name: set.name.clone() }))
}

fn keeps_every_set(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, observed).filter(|step| !matches!(step, Step::DeleteReplicaSet { .. }))
}

fn does_not_wait_for_a_namesake(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { predecessors: vec![], ..observed.clone() })
}

fn manages_a_deleted_project(project: &Project, observed: &Observed) -> Option<Step> {
    decide(&Project { deleting: false, ..project.clone() }, observed)
}

fn rejected_port_blocks_the_rest(project: &Project, observed: &Observed) -> Option<Step> {
    // The Service comes first, and nothing follows it.
    if observed.refused(Child::Service) {
        return None;
    }
    let serve = decide(
        &Project { replicas: 0, requests: std::collections::BTreeMap::new(), ..project.clone() },
        observed,
    );
    match serve {
        Some(serve @ Step::ApplyService { .. }) => Some(serve),
        _ => decide(project, observed),
    }
}

fn retries_in_the_same_pass(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { refusals: vec![], ..observed.clone() })
}

fn never_marks(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { lost_metadata: vec![], ..observed.clone() })
}

fn ignores_fixed_port(project: &Project, observed: &Observed) -> Option<Step> {
    decide(&Project { fixed_port: None, ..project.clone() }, observed)
}

fn builds_while_stopped(project: &Project, observed: &Observed) -> Option<Step> {
    let step = decide(project, observed);
    if step.is_none() && project.stopped() && !project.deleting {
        let runs = Project { replicas: 1, ..project.clone() };
        return decide(&runs, observed).filter(|step| matches!(step, Step::CreateBuildJob { .. }));
    }
    step
}
