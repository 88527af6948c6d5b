use serde_json::{Value, json};

use super::*;

fn project(status: &Value) -> ProjectDeployment {
    serde_json::from_value(json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": {
            "name": "shop", "namespace": "team", "uid": "u", "generation": 1,
            "annotations": { "doce.dev/rollback": "v00000000@1" },
        },
        "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
        "status": status,
    }))
    .unwrap()
}

fn ready(status: &str, reason: &str) -> Value {
    json!({ "observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": status, "reason": reason, "message": format!("The sentence of {reason}."),
        "lastTransitionTime": "2026-11-30T12:00:00Z",
    }]})
}

#[test]
fn a_project_that_serves_is_well_and_needs_no_command() {
    let found = cause(&project(&ready("True", "Serving")), Around::default());
    assert!(found.well && found.next.is_empty() && found.evidence.is_empty());
}

#[test]
fn every_reason_that_is_not_well_has_the_words_of_the_condition_and_a_next_command() {
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Serving) {
        let mut object = project(&ready("False", reason.name()));
        object.spec.replicas = 0; // So that Stopped has a way out.
        let found = cause(&object, Around::default());
        assert!(!found.well, "{reason:?}");
        assert_eq!(found.message, format!("The sentence of {}.", reason.name()));
        assert!(found.next.iter().all(|next| next.command.starts_with("kubectl ")), "{:?}", found.next);
        assert!(!found.next.is_empty(), "{reason:?} has no next command");
    }
}

#[test]
fn an_operator_that_has_not_seen_the_spec_comes_before_what_an_older_status_says() {
    let mut object = project(&ready("True", "Serving"));
    object.metadata.generation = Some(2);
    let found = cause(&object, Around::default());
    assert_eq!(found.reason, "Unseen");
    assert!(found.next[0].command.starts_with("kubectl doce doctor"), "{:?}", found.next);
    assert!(found.evidence[0].says.contains("generation is 2"), "{:?}", found.evidence);
}

#[test]
fn a_failure_gives_its_own_reason_and_the_end_of_its_log() {
    let mut status = ready("False", "SourceUnavailable");
    let log: Vec<String> = (1..=20).map(|line| format!("line {line}")).collect();
    status["failure"] =
        json!({ "stage": "Resolve", "reason": "RefNotFound", "message": "", "log": log.join("\n") });
    let found = cause(&project(&status), Around::default());
    assert_eq!(found.reason, "SourceUnavailable (RefNotFound)");
    assert!(found.evidence[0].says.ends_with("line 20") && !found.evidence[0].says.contains("line 8\n"));
    assert!(found.next[0].command.starts_with("kubectl edit pd shop"), "{:?}", found.next);
}

#[test]
fn what_keeps_pods_from_starting_is_part_of_the_cause_and_decides_the_command() {
    for (message, cause_says, next) in [
        (
            "v1 is starting (ImagePullBackOff: no such image); v0 keeps serving",
            "Starting (ImagePullBackOff)",
            "kubectl describe pod",
        ),
        (
            "v1 is starting (FailedCreate: exceeded quota)",
            "Starting (FailedCreate)",
            "kubectl describe resourcequota",
        ),
        (
            "v1 is starting (CrashLoopBackOff: exit code 1)",
            "Starting (CrashLoopBackOff)",
            "kubectl doce logs shop --app",
        ),
        ("v1 is starting (kubectl logs: x)", "Starting", "kubectl doce status shop --watch"),
        ("v1 is starting", "Starting", "kubectl doce status shop --watch"),
    ] {
        let mut status = ready("False", "Starting");
        status["conditions"][0]["message"] = json!(message);
        let found = cause(&project(&status), Around::default());
        assert_eq!(found.reason, cause_says, "{message}");
        assert!(found.next[0].command.starts_with(next), "{message}: {:?}", found.next);
    }
}

#[test]
fn containers_that_wait_and_warnings_about_pods_are_evidence() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": "shop-1" },
        "status": { "containerStatuses": [{
            "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } },
        }]},
    }))
    .unwrap();
    let event = |kind: &str, message: &str| -> Event {
        serde_json::from_value(json!({
            "metadata": { "name": "e" }, "type": "Warning", "reason": "BackOff", "message": message,
            "involvedObject": { "kind": kind, "name": "shop-1" },
        }))
        .unwrap()
    };
    let events = [event("Pod", "Back-off"), event("Pod", "Back-off"), event("ProjectDeployment", "own")];
    let around = Around { pods: &[pod], events: &events, ..Around::default() };
    let found = cause(&project(&ready("False", "RolloutFailed")), around).evidence;
    let says: Vec<&str> = found.iter().map(|evidence| evidence.says.as_str()).collect();
    assert_eq!(says, ["container app waits: CrashLoopBackOff: back-off 10s", "BackOff: Back-off"]);
}

#[test]
fn a_rejected_request_is_named_although_the_project_serves() {
    let mut status = ready("True", "Serving");
    status["handled"] =
        json!({ "rollback": { "value": "v00000000@1", "outcome": "rejected: no such version" } });
    let found = cause(&project(&status), Around::default());
    assert!(!found.well);
    assert_eq!(found.also, ["The last request doce.dev/rollback was rejected: no such version"]);
    status["handled"]["rollback"]["value"] = json!("older@1");
    assert!(cause(&project(&status), Around::default()).well, "another request came since");
}

#[test]
fn every_command_acts_on_the_cluster_that_the_project_was_read_from() {
    let flags = Some("-n team --context prod");
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Serving) {
        let object = project(&ready("False", reason.name()));
        let found = cause(&object, Around { flags, ..Around::default() });
        let lost = found.next.iter().find(|next| !next.command.ends_with("-n team --context prod"));
        assert_eq!(lost, None, "{reason:?}");
    }
}
