//! Running versions keep running: checked at every moment of a life.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT, is_serving, is_to_have_no_pods};
use crate::history::{Moment, Version, those};

/// True if the project has been Ready and should still serve.
#[derive(Default)]
struct Promise(bool);

impl Promise {
    fn hear(&mut self, version: &Version) -> bool {
        if version.resource == "projectdeployments" && version.name == PROJECT {
            self.0 = !is_to_have_no_pods(version) && (self.0 || is_serving(version));
        }
        self.0
    }
}

fn is_ready(pod: &Version) -> bool {
    !pod.is_ending() && pod.says("Ready", "True")
}

fn app_pods<'a>(moment: &Moment<'a>) -> Vec<&'a Version> {
    let of_app = |pod: &&Version| {
        pod.label("doce.dev/project") == PROJECT && pod.label("doce.dev/role") == "app" && is_ready(pod)
    };
    those(moment, "pods").into_iter().filter(of_app).collect()
}

/// 1. Once Ready, there are never fewer ready pods than replicas, until a user stops or deletes the project.
pub(super) fn ready_pods_never_vanish(evidence: &Evidence) -> Finding {
    let (mut finding, mut promise) = (Finding::default(), Promise::default());
    evidence.history.replay(|moment, version| {
        if !promise.hear(version) {
            return;
        }
        let project = moment.get(&("projectdeployments", PROJECT));
        let asked = project.and_then(|project| project.object["spec"]["replicas"].as_u64()).unwrap_or(1);
        let ready = app_pods(moment).len() as u64;
        finding.check(ready >= asked, || {
            format!("{ready} of {asked} pods are ready after {} {}", version.resource, version.name)
        });
    });
    finding
}

/// 2. The Service always selects a ready pod of a version that is live, now or later, in the ledger.
pub(super) fn the_service_selects_a_good_pod(evidence: &Evidence) -> Finding {
    let good: BTreeSet<String> = evidence.ledgers().flat_map(live_versions).collect();
    let (mut finding, mut promise) = (Finding::default(), Promise::default());
    evidence.history.replay(|moment, version| {
        if !promise.hear(version) {
            return;
        }
        let selector = moment.get(&("services", PROJECT)).map(|service| &service.object["spec"]["selector"]);
        let found = app_pods(moment).into_iter().any(|pod| {
            let version = pod.object["metadata"]["annotations"]["doce.dev/version"].as_str();
            selector.is_some_and(|selector| selects(selector, pod))
                && version.is_some_and(|version| good.contains(version))
        });
        finding.check(found, || {
            format!(
                "the Service selects no ready pod of a good version after {} {}",
                version.resource, version.name
            )
        });
    });
    finding
}

fn live_versions(ledger: &Version) -> Vec<String> {
    let ledger = ledger.annotation("doce.dev/ledger");
    let versions = ledger["versions"].as_object();
    let live = versions.into_iter().flatten().filter(|(_, life)| life["live"].is_u64());
    live.map(|(version, _)| version.clone()).collect()
}

fn selects(selector: &Value, pod: &Version) -> bool {
    let mut wanted = selector.as_object().into_iter().flatten();
    wanted.all(|(label, value)| value.as_str() == Some(pod.label(label)))
}
