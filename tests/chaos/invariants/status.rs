//! The status: never too early, never about the previous version, always with a reason, and short.

use doce_operator::crd::conditions::Reason;
use doce_operator::version::short;
use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT, is_changing, is_serving};
use crate::history::{Moment, Version};

/// Maximum size of an object in bytes.
const MAX_OBJECT: usize = 16 * 1024;
/// Maximum length of a message in bytes.
const MAX_MESSAGE: usize = 1024;

/// Calls `look` for every version of the project that a write of its status created.
fn told(evidence: &Evidence, mut look: impl FnMut(&Moment<'_>, &Version)) {
    let mut before: Option<(String, Value)> = None;
    evidence.history.replay(|moment, version| {
        if version.resource != "projectdeployments" || version.name != PROJECT || version.gone {
            return;
        }
        let status = &version.object["status"];
        let same = before.as_ref().is_some_and(|(uid, was)| *uid == version.uid && was == status);
        if !same && status["conditions"].is_array() {
            look(moment, version);
        }
        before = Some((version.uid.clone(), status.clone()));
    });
}

/// 9. observedGeneration never decreases and never exceeds the generation. Ready is about the newest generation. While
///    it is True, the Deployment is observed, updated and available, or Ready says that pods are being added or
///    replaced.
pub(super) fn ready_is_about_the_newest_generation(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut before: Option<(String, i64)> = None;
    for version in evidence.projects().filter(|version| !version.gone) {
        let generation = version.object["metadata"]["generation"].as_i64().unwrap_or(0);
        let observed = version.object["status"]["observedGeneration"].as_i64().unwrap_or(-1);
        let was = before.as_ref().filter(|(uid, _)| *uid == version.uid).map_or(-1, |(_, was)| *was);
        finding.check(was <= observed && observed <= generation, || {
            format!("observedGeneration changed from {was} to {observed} of {generation}")
        });
        before = Some((version.uid.clone(), observed));
    }
    told(evidence, |moment, version| {
        if !version.says("Ready", "True") {
            return;
        }
        let generation = &version.object["metadata"]["generation"];
        let of = &version.condition("Ready")["observedGeneration"];
        finding.check(of == generation, || format!("Ready is about generation {of}, not {generation}"));
        if is_serving(version) && !is_changing(version) {
            let whole = moment.get(&("deployments", PROJECT)).is_some_and(|there| is_whole(there));
            finding.check(whole, || {
                let there = moment.get(&("deployments", PROJECT));
                format!(
                    "Ready, but the Deployment is {}",
                    there.map_or(&Value::Null, |there| &there.object["status"])
                )
            });
        }
    });
    finding
}

fn is_whole(deployment: &Version) -> bool {
    let (status, replicas) = (&deployment.object["status"], &deployment.object["spec"]["replicas"]);
    let observed = status["observedGeneration"] == deployment.object["metadata"]["generation"];
    observed && status["updatedReplicas"] == *replicas && status["availableReplicas"] == *replicas
}

/// 10. Ready names the version whose template the Deployment has.
pub(super) fn ready_agrees_with_the_children(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    told(evidence, |moment, version| {
        if !is_serving(version) {
            return;
        }
        let there = moment.get(&("deployments", PROJECT));
        let in_place = there.map(|there| short(there.template("doce.dev/version"))).unwrap_or_default();
        let said = version.object["status"]["version"].as_str().unwrap_or_default();
        finding.check(said == in_place, || format!("Ready with {said}, but the Deployment has {in_place}"));
    });
    finding
}

/// 14. Objects are small, and messages of conditions are short and contain no control characters.
pub(super) fn objects_stay_small(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    for version in evidence.history.all().iter().filter(|version| version.resource != "pods") {
        let size = version.object.to_string().len();
        finding
            .check(size <= MAX_OBJECT, || format!("{} {} has {size} bytes", version.resource, version.name));
    }
    let conditions = evidence.projects().flat_map(|version| {
        version.object["status"]["conditions"].as_array().into_iter().flatten().cloned().collect::<Vec<_>>()
    });
    for condition in conditions {
        let message = condition["message"].as_str().unwrap_or_default();
        let clean = !message.chars().any(|character| character.is_control() && character != '\n');
        finding.check(message.len() <= MAX_MESSAGE && clean, || format!("bad message: {message:?}"));
    }
    finding
}

/// 22. While a build has failed, the previous version stays in place and available.
pub(super) fn a_failed_build_leaves_what_runs_alone(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut ran: Option<(String, String)> = None;
    told(evidence, |moment, version| {
        let there = moment.get(&("deployments", PROJECT));
        let in_place = there.map(|there| there.template("doce.dev/version").to_owned()).unwrap_or_default();
        if is_serving(version) {
            ran = Some((version.uid.clone(), in_place));
        } else if version.condition("Ready")["reason"] == "BuildFailed" {
            let before = ran.as_ref().filter(|(uid, _)| *uid == version.uid);
            if let Some((_, before)) = before {
                finding.check(*before == in_place && version.says("Available", "True"), || {
                    format!("after a failed build, {in_place} replaced {before}")
                });
            }
        }
    });
    finding
}

/// 29. Ready has a known reason and a message. If it is not True, either work continues or the project is Stalled.
pub(super) fn every_state_has_a_reason(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    told(evidence, |_, version| {
        let ready = version.condition("Ready");
        let known = Reason::ALL.iter().any(|reason| ready["reason"] == reason.name());
        let says = ready["message"].as_str().is_some_and(|message| !message.is_empty());
        let whose = version.says("Ready", "True")
            || version.says("Reconciling", "True")
            || version.says("Stalled", "True");
        finding.check(known && says && whose, || format!("{}", version.object["status"]["conditions"]));
    });
    finding
}
