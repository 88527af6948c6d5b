//! Events, derived from the difference of the old and the new status, so no fact is reported twice.

use crate::cluster::events::Happening;
use crate::crd::ProjectDeploymentStatus;
use crate::crd::annotations::RequestKind;
use crate::crd::conditions::Reason;
use crate::reconcile::observed::{Child, Refusal};
use crate::text::bounded;

/// The events for the changes between `old` and `new`.
#[must_use]
pub fn happenings(old: Option<&ProjectDeploymentStatus>, new: &ProjectDeploymentStatus) -> Vec<Happening> {
    let empty = ProjectDeploymentStatus::default();
    let old = old.unwrap_or(&empty);
    let mut happenings = vec![];
    happenings.extend(requests(old, new));
    happenings.extend(changed(old, new, "Ready"));
    // The first port is part of a first deploy, which has its event. What went wrong, and that it is over, is news, and so
    // is a port after a time without one. That the spec asks for none is not.
    let port = |status: &ProjectDeploymentStatus, truth: &str| {
        status.condition("PortAllocated").is_some_and(|condition| condition.status == truth)
    };
    let is_wrong = |happening: &Happening| happening.reason != Reason::NotRequested.name();
    happenings.extend(changed(old, new, "PortAllocated").filter(|happening| {
        port(new, "False") && is_wrong(happening) || port(new, "True") && port(old, "False")
    }));
    happenings
}

/// Events for images that stay in their registry because the API server rejected the Job that deletes them. They are
/// not part of the status: the record is gone, and nothing waits.
#[must_use]
pub fn rejected_cleanups(refusals: &[Refusal]) -> Vec<Happening> {
    let refused = refusals.iter().filter(|refusal| refusal.child == Child::Cleanup);
    let happening = |refusal: &Refusal| Happening {
        warning: true,
        reason: "CleanupRefused".to_owned(),
        action: format!("Cleanup:{}", bounded(&refusal.message, 100)),
        note: format!(
            "The API server rejected the Job that deletes an image, so an image that no version needs stays in its registry: {}. \
             Allow the Job, or set spec.build.output.cleanup: Keep",
            refusal.message
        ),
    };
    refused.map(happening).collect()
}

fn changed(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus, kind: &str) -> Option<Happening> {
    let now = new.condition(kind)?;
    let same =
        old.condition(kind).is_some_and(|before| before.reason == now.reason && before.status == now.status);
    let same =
        same && (kind != "Ready" || old.version == new.version && old.desired_version == new.desired_version);
    let stalled = new.condition("Stalled").is_some();
    let lost = now.reason == Reason::ImageLost.name();
    let fault = now.status == "False" && (new.failure.is_some() || lost);
    (!same).then(|| Happening {
        warning: kind == "Ready" && (stalled || fault) || kind != "Ready" && now.status == "False",
        reason: now.reason.clone(),
        action: format!("{kind}:{}", subject(new)),
        note: now.message.clone(),
    })
}

/// What the event is about, as part of its action. The recorder merges events of the same reason and action into one
/// and keeps only the first note.
fn subject(status: &ProjectDeploymentStatus) -> String {
    let build = status.build.as_ref().map(|build| build.id.clone());
    format!("{}:{}", status.desired_version.as_deref().unwrap_or_default(), build.unwrap_or_default())
}

fn requests(old: &ProjectDeploymentStatus, new: &ProjectDeploymentStatus) -> Vec<Happening> {
    let news = new.handled.iter().filter(|(verb, request)| old.handled.get(*verb) != Some(*request));
    let happening = |(verb, request): (&String, &crate::crd::status::HandledRequest)| {
        let known = RequestKind::ALL.into_iter().any(|there| there.word() == verb);
        let mut reason = if known { format!("{verb}Requested") } else { "UnknownRequest".to_owned() };
        reason[..1].make_ascii_uppercase();
        Happening {
            warning: request.outcome.starts_with("rejected"),
            reason,
            action: format!("Request:{}", bounded(&request.value, 100)),
            note: format!("doce.dev/{verb}={:?}: {}", request.value, request.outcome),
        }
    };
    news.map(happening).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn status(port: &str) -> ProjectDeploymentStatus {
        let condition = |kind: &str, truth: &str| Condition {
            type_: kind.to_owned(),
            status: truth.to_owned(),
            reason: if truth == "False" { "PortsExhausted".to_owned() } else { "Allocated".to_owned() },
            message: String::new(),
            last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        let conditions = vec![condition("Ready", "Unknown"), condition("PortAllocated", port)];
        ProjectDeploymentStatus { conditions, ..ProjectDeploymentStatus::default() }
    }

    fn reasons(old: Option<&ProjectDeploymentStatus>, new: &ProjectDeploymentStatus) -> Vec<String> {
        happenings(old, new)
            .into_iter()
            .filter(|it| it.action.starts_with("Port"))
            .map(|it| it.reason)
            .collect()
    }

    #[test]
    fn a_port_is_told_when_there_is_none_and_when_there_is_one_again() {
        let (unknown, granted, refused) = (status("Unknown"), status("True"), status("False"));
        assert_eq!(reasons(None, &granted), [""; 0]);
        assert_eq!(reasons(Some(&unknown), &granted), [""; 0]);
        assert_eq!(reasons(Some(&unknown), &refused), ["PortsExhausted"]);
        assert_eq!(reasons(Some(&refused), &granted), ["Allocated"]);
    }

    #[test]
    fn a_project_that_asks_for_no_port_has_an_event_only_once_it_has_one_again() {
        let (granted, mut none) = (status("True"), status("False"));
        none.conditions[1].reason = Reason::NotRequested.name().to_owned();
        assert_eq!(reasons(None, &none), [""; 0]);
        assert_eq!(reasons(Some(&granted), &none), [""; 0]);
        assert_eq!(reasons(Some(&none), &granted), ["Allocated"]);
    }
}
