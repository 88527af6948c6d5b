//! Events, from the difference of the old and the new status: nothing is said twice about the same fact.

use crate::cluster::events::Happening;
use crate::crd::ProjectDeploymentStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// What happened between `old` and `new`.
#[must_use]
pub fn happenings(old: Option<&ProjectDeploymentStatus>, new: &ProjectDeploymentStatus) -> Vec<Happening> {
    let empty = ProjectDeploymentStatus::default();
    let old = old.unwrap_or(&empty);
    let mut happenings = vec![];
    happenings.extend(requests(old, new));
    happenings.extend(changed(old, new, "Ready"));
    happenings.extend(changed(old, new, "PortAllocated").filter(|_| find(new, "PortAllocated").is_some_and(|now| now.status != "Unknown")));
    happenings
}

fn find<'a>(status: &'a ProjectDeploymentStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

fn changed(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus, kind: &str) -> Option<Happening> {
    let now = find(new, kind)?;
    let same = find(old, kind).is_some_and(|before| before.reason == now.reason && before.status == now.status);
    let same = same && (kind != "Ready" || old.version == new.version && old.desired_version == new.desired_version);
    let stalled = find(new, "Stalled").is_some();
    let fault = now.status == "False" && new.failure.is_some();
    (!same).then(|| Happening {
        warning: kind == "Ready" && (stalled || fault) || kind != "Ready" && now.status == "False",
        reason: now.reason.clone(),
        action: if kind == "Ready" { "Reconcile" } else { "AllocatePort" },
        note: now.message.clone(),
    })
}

fn requests(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus) -> Vec<Happening> {
    let news = new.handled.iter().filter(|(verb, request)| old.handled.get(*verb) != Some(*request));
    let happening = |(verb, request): (&String, &crate::crd::status::HandledRequest)| {
        let mut reason = format!("{verb}Requested");
        reason[..1].make_ascii_uppercase();
        Happening {
            warning: request.outcome.starts_with("refused"),
            reason,
            action: "Request",
            note: format!("doce.dev/{verb}={:?}: {}", request.value, request.outcome),
        }
    };
    news.map(happening).collect()
}
