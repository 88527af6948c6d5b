//! The operators' requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT};
use crate::wire::Asked;

/// Maximum writes of one operator per second.
const MOST_WRITES: usize = 50;
/// Maximum writes of the same content to the same object.
const MOST_ALIKE: usize = 3;

fn writes(evidence: &Evidence) -> impl Iterator<Item = &Asked> {
    evidence.asked.iter().filter(|asked| asked.wrote())
}

/// 7. A project of this life controls every child that a write returned: the project in the child's label.
pub(super) fn only_own_objects_are_written(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let projects: BTreeSet<&str> =
        evidence.history.of("projectdeployments").map(|version| version.uid.as_str()).collect();
    let told = writes(evidence).filter(|asked| !asked.call.resource.starts_with("projectdeployments"));
    let told = told.filter(|asked| !is_builder(evidence, asked));
    for asked in told.filter(|asked| asked.answer["metadata"]["uid"].is_string()) {
        let metadata = &asked.answer["metadata"];
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let controller = owners.into_iter().find(|owner| owner["controller"] == true);
        let uid = controller.and_then(|owner| owner["uid"].as_str()).unwrap_or_default();
        // The Deployment owns a ReplicaSet, so its label names the project.
        let ours = if asked.call.resource == "replicasets" {
            &metadata["labels"]["doce.dev/uid"]
        } else {
            &Value::Null
        };
        let uid = ours.as_str().unwrap_or(uid);
        finding.check(projects.contains(uid), || {
            format!("{} {} was written, but its owner is {controller:?}", asked.call, asked.path)
        });
    }
    finding
}

/// It is the Job of a builder pod, which belongs to no project.
fn is_builder(evidence: &Evidence, asked: &Asked) -> bool {
    asked.call.resource == "jobs"
        && asked.path.contains(&format!("/namespaces/{}-builds/", evidence.namespace))
}

/// 8. Every write is in the namespace of the project, or of the Job of a builder pod in the namespace of builds.
pub(super) fn nothing_is_written_elsewhere(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let home = format!("/namespaces/{}/", evidence.namespace);
    for asked in evidence.asked.iter().filter(|asked| asked.call.is_write()) {
        let here = asked.path.contains(&home) || is_builder(evidence, asked);
        finding.check(here, || format!("{} {}", asked.call, asked.path));
    }
    finding
}

/// 16. An operator makes at most 50 writes per second, and at most three of the same content to the same object.
pub(super) fn no_write_is_repeated(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let times: Vec<_> = writes(evidence).map(|asked| asked.at).collect();
    for (place, from) in times.iter().enumerate() {
        let until = *from + Duration::from_secs(1);
        let number = times[place..].iter().take_while(|at| **at < until).count();
        finding.check(number <= MOST_WRITES, || format!("{number} writes in one second"));
    }
    let mut alike: BTreeMap<(String, &str, String), usize> = BTreeMap::new();
    for asked in writes(evidence) {
        let content = content(&asked.body).to_string();
        let number = alike.entry((asked.call.to_string(), &asked.path, content)).or_default();
        *number += 1;
        finding.check(*number <= MOST_ALIKE, || {
            format!("{} {} for the {number}th time with {}", asked.call, asked.path, asked.body)
        });
    }
    finding
}

/// A body without the fields that differ between two writes of the same content.
fn content(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    body
}

/// 25. Once the project is settled, no operator writes to it, although operators reconcile it.
pub(super) fn nothing_is_written_once_settled(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let Some(settled) = evidence.settled else { return finding };
    let of_project =
        |asked: &&Asked| asked.call.is_write() && !asked.call.is_event() && asked.name().starts_with(PROJECT);
    let late: Vec<String> = evidence.asked[settled..]
        .iter()
        .filter(of_project)
        .map(|asked| format!("{} {}", asked.call, asked.path))
        .collect();
    finding.check(late.is_empty(), || format!("written after the project was settled: {late:?}"));
    finding
}
