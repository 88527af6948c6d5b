//! How it ends: as without faults, with nothing left over, and said truly.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Finding, PROJECT};
use crate::history::{Version, those};

/// What the operator makes itself; ReplicaSets and pods are made by Kubernetes as long as their Deployment is there.
const MADE: [&str; 4] = ["controllerrevisions", "deployments", "services", "jobs"];

/// 17. The last status is of the newest generation, nothing is under way, and it is Ready or calls for a person.
pub(super) fn the_end_is_ready_or_stalled(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let end = evidence.history.end();
    if let Some(project) = end.get(&("projectdeployments", PROJECT)) {
        let (status, generation) = (&project.object["status"], &project.object["metadata"]["generation"]);
        let true_to_it = status["observedGeneration"] == *generation && !project.says("Reconciling", "True");
        finding
            .check(true_to_it && (project.says("Ready", "True") || project.says("Stalled", "True")), || {
                format!("in the end it says {}", status["conditions"])
            });
    }
    finding
}

/// 18. Status, children and memory are in the end as in the life without faults (names of namespaces, uids, times and
///     the number of the port apart).
pub(super) fn the_end_is_the_same(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    finding.check(evidence.otherwise.is_none(), || evidence.otherwise.clone().unwrap_or_default());
    finding
}

/// 19. Of each kind as many objects were made as without faults, and so, as the end is the same, as many were deleted.
pub(super) fn as_many_objects_were_made(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let Some(expected) = evidence.made.as_ref().filter(|_| evidence.otherwise.is_none()) else {
        return finding;
    };
    let made = evidence.history.made(PROJECT);
    let resources: BTreeSet<&String> = expected.keys().chain(made.keys()).collect();
    for resource in resources {
        let (of, without) = (made.get(resource), expected.get(resource));
        finding.check(of == without, || format!("{of:?} {resource} were made, {without:?} without faults"));
    }
    finding
}

/// 20. What belonged to a deleted project is gone in the end, and what was collected of it was not made anew. (A first
///     write that was on its way when the project went may still arrive; that goes too.)
pub(super) fn nothing_is_left_of_a_deleted_project(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    for project in evidence.projects().filter(|version| version.gone) {
        let (mut last, mut named) = (BTreeMap::<&str, &Version>::new(), BTreeMap::new());
        let children = evidence.history.all().iter().filter(|it| it.label("doce.dev/uid") == project.uid);
        for child in children {
            last.insert(&child.uid, child);
            let before = named.insert((&child.resource, &child.name), &child.uid);
            let anew = before.is_some_and(|uid| *uid != child.uid) && MADE.contains(&&*child.resource);
            finding.check(!anew || child.at < project.at, || {
                format!("{} {} was made anew when its project was gone", child.resource, child.name)
            });
        }
        for child in last.values() {
            finding.check(child.gone, || format!("{} {} outlived its project", child.resource, child.name));
        }
    }
    finding
}

/// 21. After a deletion and a new beginning, everything there belongs to the new project, and what was learned too.
pub(super) fn nothing_is_inherited(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let end = evidence.history.end();
    let Some(project) = end.get(&("projectdeployments", PROJECT)) else { return finding };
    if !evidence.projects().any(|version| version.gone) {
        return finding;
    }
    for resource in ["controllerrevisions", "deployments", "replicasets", "services", "jobs", "pods"] {
        let there = those(&end, resource);
        for child in there.iter().filter(|child| child.label("doce.dev/project") == PROJECT) {
            finding.check(child.label("doce.dev/uid") == project.uid, || {
                format!("{resource} {} is of a project that is gone", child.name)
            });
        }
    }
    finding
}

/// 23. A spec that was written after the last verdict and is not itself condemned serves in the end.
pub(super) fn a_good_spec_serves_after_a_failure(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let (mut generation, mut failures, mut failed_then) = (0, 0, None);
    for version in evidence.history.all().iter().filter(|version| version.name == PROJECT) {
        if version.resource == "controllerrevisions" {
            failures = verdicts(version);
        } else if version.resource == "projectdeployments" {
            let now = version.object["metadata"]["generation"].as_i64().unwrap_or(0);
            if now != generation {
                (generation, failed_then) = (now, Some(failures));
            }
        }
    }
    let end = evidence.history.end();
    let project = end.get(&("projectdeployments", PROJECT));
    if let (Some(project), Some(then)) = (project, failed_then.filter(|then| *then > 0 && *then == failures))
    {
        finding.check(project.says("Ready", "True"), || {
            format!(
                "{then} verdicts stood when it was mended, and it is not Ready: {}",
                project.condition("Ready")
            )
        });
    }
    finding
}

fn verdicts(ledger: &Version) -> usize {
    let ledger = ledger.annotation("doce.dev/ledger");
    let parts = ["versions", "builds"].map(|part| ledger[part].clone());
    parts
        .iter()
        .flat_map(|part| part.as_object().into_iter().flatten())
        .filter(|(_, entry)| entry["failed"].is_object())
        .count()
}

/// 30. No panic in the operator's code, and its loop runs to the end. (That its pauses grow to a cap is a unit test.)
pub(super) fn the_operator_never_panics(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    finding.check(evidence.fell.is_none(), || evidence.fell.clone().unwrap_or_default());
    finding
}
