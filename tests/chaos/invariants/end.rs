//! The end of a life: the same as without faults, nothing left over, and a true status.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Finding, PROJECT};
use crate::history::{Version, those};

/// The operator creates these. Kubernetes creates ReplicaSets and pods while their Deployment exists.
const MADE: [&str; 4] = ["controllerrevisions", "deployments", "services", "jobs"];

/// 17. The last status is about the newest generation, no work is in progress, and the project is Ready or Stalled.
pub(super) fn the_end_is_ready_or_stalled(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let end = evidence.history.end();
    if let Some(project) = end.get(&("projectdeployments", PROJECT)) {
        let (status, generation) = (&project.object["status"], &project.object["metadata"]["generation"]);
        let true_to_it = status["observedGeneration"] == *generation && !project.says("Reconciling", "True");
        finding
            .check(true_to_it && (project.says("Ready", "True") || project.says("Stalled", "True")), || {
                format!("the last conditions are {}", status["conditions"])
            });
    }
    finding
}

/// 18. Status, children and memory end as in the life without faults (except names of namespaces, uids, times and the
///     port number).
pub(super) fn the_end_is_the_same(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    finding.check(evidence.otherwise.is_none(), || evidence.otherwise.clone().unwrap_or_default());
    finding
}

/// 19. The operator created as many objects of each kind as without faults. Because the end is the same, it deleted as
///     many too.
pub(super) fn as_many_objects_are_created(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let Some(expected) = evidence.made.as_ref().filter(|_| evidence.otherwise.is_none()) else {
        return finding;
    };
    let made = evidence.history.made(PROJECT);
    let resources: BTreeSet<&String> = expected.keys().chain(made.keys()).collect();
    for resource in resources {
        let (of, without) = (made.get(resource), expected.get(resource));
        finding.check(of == without, || format!("{of:?} {resource} created, {without:?} without faults"));
    }
    finding
}

/// 20. The children of a deleted project are gone in the end, and the operator recreated none of them. (A first write
///     that was in flight at the deletion may still arrive; its object is deleted too.)
pub(super) fn nothing_remains_of_a_deleted_project(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    for project in evidence.projects().filter(|version| version.gone) {
        let (mut last, mut named) = (BTreeMap::<&str, &Version>::new(), BTreeMap::new());
        let children = evidence.history.all().iter().filter(|it| it.label("doce.dev/uid") == project.uid);
        for child in children {
            last.insert(&child.uid, child);
            let before = named.insert((&child.resource, &child.name), &child.uid);
            let anew = before.is_some_and(|uid| *uid != child.uid) && MADE.contains(&&*child.resource);
            finding.check(!anew || child.at < project.at, || {
                format!("{} {} was recreated after its project was deleted", child.resource, child.name)
            });
        }
        for child in last.values() {
            finding.check(child.gone, || format!("{} {} outlived its project", child.resource, child.name));
        }
    }
    finding
}

/// 21. After a project is deleted and recreated, all children and the memory belong to the new project.
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
                format!("{resource} {} belongs to a deleted project", child.name)
            });
        }
    }
    finding
}

/// 23. A spec that is newer than the last verdict, and has no verdict itself, serves in the end.
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
            format!("fixed after {then} verdicts, but not Ready: {}", project.condition("Ready"))
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

/// 30. The operator's code never panics, and its loop runs to the end. (A unit test checks that its retry delays grow
///     to a maximum.)
pub(super) fn the_operator_never_panics(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    finding.check(evidence.fell.is_none(), || evidence.fell.clone().unwrap_or_default());
    finding
}
