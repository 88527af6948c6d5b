//! Bugs in what becomes of children: kept, deleted, refused, of somebody else.

use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::{Child, Observed};

use super::Planting;

pub(super) const PLANTED: &[Planting] = &[
    Planting::of("pruning by age", prunes_by_age, &["what_one_would_go_back_to_is_kept"]),
    Planting::of(
        "a ReplicaSet deleted that is kept",
        deletes_what_is_kept,
        &["what_one_would_go_back_to_is_kept"],
    ),
    Planting::of(
        "a failed version's ReplicaSet that is kept",
        keeps_every_set,
        &["at_most_two_sets_and_the_other_is_usable"],
    ),
    Planting::of(
        "a child of a deleted namesake that nobody waits for",
        waits_for_nobody,
        &["a_namesake_is_waited_for"],
    ),
    Planting::of(
        "a project that goes and is looked after",
        looks_after_what_goes,
        &["a_namesake_is_waited_for"],
    ),
    Planting::of(
        "a port that is refused and keeps all else from going on",
        port_stops_all,
        &[
            "what_is_wanted_and_good_serves",
            "what_is_wanted_is_built_or_has_a_verdict",
            "a_lookup_is_answered_or_has_failed",
            "a_rollback_arrives",
            "every_request_is_seen",
        ],
    ),
    Planting::of("a refusal that is tried again in the same pass", tries_for_ever, &["it_comes_to_rest"]),
    Planting::of("a child without its marks", never_marks, &["every_child_has_its_marks"]),
    Planting::of(
        "a fixed port that is not asked for",
        ignores_fixed_port,
        &["the_service_is_what_was_recorded", "the_port_never_changes"],
    ),
    Planting::of(
        "a build that goes on after the project was stopped",
        builds_while_stopped,
        &["a_stopped_project_is_left_as_it_is"],
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

fn deletes_what_is_kept(project: &Project, observed: &Observed) -> Option<Step> {
    let goes = project.stopped() || project.deleting || !observed.predecessors.is_empty();
    let idle = || observed.sets.iter().find(|set| set.pods == 0 && !set.current && !goes);
    decide(project, observed).or_else(|| idle().map(|set| Step::DeleteReplicaSet { name: set.name.clone() }))
}

fn keeps_every_set(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, observed).filter(|step| !matches!(step, Step::DeleteReplicaSet { .. }))
}

fn waits_for_nobody(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { predecessors: vec![], ..observed.clone() })
}

fn looks_after_what_goes(project: &Project, observed: &Observed) -> Option<Step> {
    decide(&Project { deleting: false, ..project.clone() }, observed)
}

fn port_stops_all(project: &Project, observed: &Observed) -> Option<Step> {
    // The Service comes before all else, and nothing after it.
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

fn tries_for_ever(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { refusals: vec![], ..observed.clone() })
}

fn never_marks(project: &Project, observed: &Observed) -> Option<Step> {
    decide(project, &Observed { unmarked: vec![], ..observed.clone() })
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
