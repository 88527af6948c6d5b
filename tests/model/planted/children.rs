//! Bugs in what becomes of children: kept, deleted, refused, of somebody else.

use doce_operator::project::Project;
use doce_operator::reconcile::decide::{Step, decide};
use doce_operator::reconcile::observed::{Child, World};

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

fn prunes_by_age(project: &Project, world: &World) -> Option<Step> {
    match decide(project, world) {
        Some(Step::ForgetRecord { .. }) => {
            let oldest = world.records.values().min_by_key(|record| record.created)?;
            Some(Step::ForgetRecord { version: oldest.facts.version.clone() })
        }
        step => step,
    }
}

fn deletes_what_is_kept(project: &Project, world: &World) -> Option<Step> {
    let goes = project.stopped() || project.deleting || !world.predecessors.is_empty();
    let idle = || world.sets.iter().find(|set| set.pods == 0 && !set.current && !goes);
    decide(project, world).or_else(|| idle().map(|set| Step::ForgetSet { name: set.name.clone() }))
}

fn keeps_every_set(project: &Project, world: &World) -> Option<Step> {
    decide(project, world).filter(|step| !matches!(step, Step::ForgetSet { .. }))
}

fn waits_for_nobody(project: &Project, world: &World) -> Option<Step> {
    decide(project, &World { predecessors: vec![], ..world.clone() })
}

fn looks_after_what_goes(project: &Project, world: &World) -> Option<Step> {
    decide(&Project { deleting: false, ..project.clone() }, world)
}

fn port_stops_all(project: &Project, world: &World) -> Option<Step> {
    // The Service comes before all else, and nothing after it.
    if world.refused(Child::Service) {
        return None;
    }
    let serve = decide(
        &Project { replicas: 0, requests: std::collections::BTreeMap::new(), ..project.clone() },
        world,
    );
    match serve {
        Some(serve @ Step::Serve { .. }) => Some(serve),
        _ => decide(project, world),
    }
}

fn tries_for_ever(project: &Project, world: &World) -> Option<Step> {
    decide(project, &World { refusals: vec![], ..world.clone() })
}

fn never_marks(project: &Project, world: &World) -> Option<Step> {
    decide(project, &World { unmarked: vec![], ..world.clone() })
}

fn ignores_fixed_port(project: &Project, world: &World) -> Option<Step> {
    decide(&Project { fixed_port: None, ..project.clone() }, world)
}

fn builds_while_stopped(project: &Project, world: &World) -> Option<Step> {
    let step = decide(project, world);
    if step.is_none() && project.stopped() && !project.deleting {
        let runs = Project { replicas: 1, ..project.clone() };
        return decide(&runs, world).filter(|step| matches!(step, Step::Build { .. }));
    }
    step
}
