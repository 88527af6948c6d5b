//! Deployment, Service and build Jobs: one of each, never replaced.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT};
use crate::history::{Version, those};

/// 3. At every moment a uid has at most one Deployment, one Service and one running build; no build starts twice.
pub(super) fn no_child_exists_twice(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    evidence.history.replay(|moment, version| {
        let resource = version.resource.as_str();
        if !matches!(resource, "deployments" | "services" | "jobs") || version.gone {
            return;
        }
        let counts = |there: &&Version| {
            let alike = there.label("doce.dev/uid") == version.label("doce.dev/uid");
            // What a cleanup may delete is invariant 31.
            let builds = there.label("doce.dev/role") != "cleanup";
            alike && (resource != "jobs" || builds && !there.is_ending() && !is_finished(there))
        };
        let number = those(moment, resource).into_iter().filter(counts).count();
        finding.check(number <= 1, || format!("{number} {resource} of one project after {}", version.name));
    });
    let mut begun: BTreeMap<String, &str> = BTreeMap::new();
    for job in evidence.history.of("jobs") {
        let annotations = &job.object["metadata"]["annotations"];
        let what = (&annotations["doce.dev/build-of"], &annotations["doce.dev/attempt"]);
        let key = format!("{} {what:?}", job.label("doce.dev/uid"));
        let first = *begun.entry(key).or_insert(&job.uid);
        finding.check(first == job.uid, || format!("{what:?} ran twice"));
    }
    finding
}

fn is_finished(job: &Version) -> bool {
    job.says("Complete", "True") || job.says("Failed", "True")
}

/// 4. Node port and cluster IP stay for the life of a project, and its Service is never recreated.
pub(super) fn the_address_never_changes(evidence: &Evidence) -> Finding {
    let address = |service: &Version| {
        let spec = &service.object["spec"];
        format!("{} at {} on {}", service.uid, spec["clusterIP"], spec["ports"][0]["nodePort"])
    };
    stays(evidence, "services", address)
}

/// 5. Uid and selector of the Deployment stay for the life of a project.
pub(super) fn the_deployment_is_never_replaced(evidence: &Evidence) -> Finding {
    let identity =
        |deployment: &Version| format!("{} with {}", deployment.uid, deployment.object["spec"]["selector"]);
    stays(evidence, "deployments", identity)
}

fn stays(evidence: &Evidence, resource: &str, what: impl Fn(&Version) -> String) -> Finding {
    let mut finding = Finding::default();
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for version in evidence.history.of(resource).filter(|version| version.name == PROJECT) {
        let (is, project) = (what(version), version.label("doce.dev/uid"));
        let was = first.entry(project).or_insert_with(|| is.clone());
        finding.check(*was == is, || format!("it changed from {was} to {is}"));
    }
    finding
}

/// 6. The pod template has its image by digest, the same as the record of its version had at that time.
pub(super) fn the_image_is_the_recorded_one(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut recorded: BTreeMap<(String, String), Value> = BTreeMap::new();
    evidence.history.replay(|_, version| {
        let project = version.label("doce.dev/uid").to_owned();
        if version.resource == "controllerrevisions" {
            let of = version.object["data"]["version"].as_str().unwrap_or_default().to_owned();
            recorded.insert((project, of), version.annotation("doce.dev/image")["reference"].clone());
        } else if version.resource == "deployments" && version.name == PROJECT {
            let of = version.template("doce.dev/version").to_owned();
            let image = &version.object["spec"]["template"]["spec"]["containers"][0]["image"];
            let by_digest = image.as_str().is_some_and(|image| image.contains("@sha256:"));
            let known = recorded.get(&(project, of.clone()));
            finding.check(by_digest && known == Some(image), || {
                format!("{of} runs {image}, but its record has {known:?}")
            });
        }
    });
    finding
}
