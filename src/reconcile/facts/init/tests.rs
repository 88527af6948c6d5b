use serde_json::{Value, json};

use super::*;

const BEGUN: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGUN + second).unwrap()
}

fn job_object(ended: Option<(&str, &str)>) -> Job {
    let condition = ended.map(|(kind, reason)| {
        json!([{ "type": kind, "status": "True", "reason": reason, "lastTransitionTime": at(9).to_string() }])
    });
    serde_json::from_value(json!({
        "metadata": { "name": "shop-1", "namespace": "n", "uid": "job-1",
            "annotations": { "doce.dev/init-of": "abc", "doce.dev/attempt": "4" } },
        "spec": { "activeDeadlineSeconds": 60 + START_SECONDS, "template": {} },
        "status": { "startTime": at(0).to_string(), "conditions": condition },
    }))
    .unwrap()
}

fn pod(status: &Value) -> Arc<Pod> {
    let metadata = json!({ "name": "shop-1-x", "ownerReferences": [
        { "apiVersion": "batch/v1", "kind": "Job", "name": "shop-1", "uid": "job-1" },
    ]});
    Arc::new(serde_json::from_value(json!({ "metadata": metadata, "status": status })).unwrap())
}

fn ended(code: i32, said: &str) -> Value {
    json!({ "phase": "Failed", "containerStatuses": [{ "name": "init", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": { "exitCode": code, "reason": "Error", "message": said, "finishedAt": at(8).to_string() } } }] })
}

fn seen(job_ended: Option<(&str, &str)>, status: &Value, second: i64) -> InitJob {
    job(&job_object(job_ended), &[pod(status)], None, at(second)).unwrap()
}

fn failed(seen: InitJob) -> InitFailure {
    match seen.state {
        InitState::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_command_is_reported_with_its_error_and_the_end_of_its_output() {
    let said = "applying 0007_users\nError: relation \"users\" already exists\n    at migrate.js:3\n";
    let failure = failed(seen(Some(("Failed", "BackoffLimitExceeded")), &ended(1, said), 10));
    assert_eq!(failure.trouble.reason, "InitCommandFailed");
    assert_eq!(
        failure.trouble.message,
        "its init command ended with exit code 1: Error: relation \"users\" already exists"
    );
    assert!(failure.log.starts_with("applying 0007_users\n"), "{}", failure.log);
    assert_eq!((failure.outside, failure.at), (false, at(9)));
}

#[test]
fn an_unreachable_database_is_a_cause_outside_the_version() {
    let said = "Error: connect ECONNREFUSED 10.0.0.5:5432";
    assert!(failed(seen(Some(("Failed", "BackoffLimitExceeded")), &ended(1, said), 10)).outside);
}

#[test]
fn a_command_that_times_out_names_the_field_and_keeps_its_output() {
    let mut status = ended(137, "waiting for a lock");
    status["reason"] = json!("DeadlineExceeded");
    let failure = failed(seen(Some(("Failed", "BackoffLimitExceeded")), &status, 70));
    assert_eq!(failure.trouble.reason, "DeadlineExceeded");
    let message = &failure.trouble.message;
    assert!(message.contains("within 60 s") && message.contains("initCommand.deadlineSeconds"), "{message}");
    assert_eq!(failure.log, "waiting for a lock");
}

#[test]
fn a_program_missing_from_the_image_is_named_with_the_field_to_correct() {
    let said = "exec: \"migrat\": executable file not found in $PATH: unknown";
    let mut status = ended(128, said);
    status["containerStatuses"][0]["state"]["terminated"]["reason"] = json!("StartError");
    let message = failed(seen(Some(("Failed", "BackoffLimitExceeded")), &status, 10)).trouble.message;
    assert!(message.contains("\"migrat\" was not found in the image"), "{message}");
    assert!(message.contains("spec.run.initCommand.command"), "{message}");
}

#[test]
fn a_pod_that_never_started_is_reported_before_the_job_deletes_it() {
    let waiting = json!({ "phase": "Pending", "containerStatuses": [{ "name": "init", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such host" } } }] });
    let early = seen(None, &waiting, 100);
    assert_eq!(early.state, InitState::Running);
    assert_eq!(early.trouble.map(|trouble| trouble.reason).as_deref(), Some("ImagePullBackOff"));
    let failure = failed(seen(None, &waiting, 161));
    assert!(failure.outside && failure.trouble.message.contains("did not start"), "{failure:?}");
    assert_eq!(failure.at, at(160));
}

#[test]
fn an_ended_job_is_read_again_only_if_its_result_is_unknown_and_awaited() {
    let ledger = |ended| Ledger {
        init: Some(InitRun { number: 4, version: "abc".to_owned(), ended }),
        ..Ledger::default()
    };
    let object = job_object(Some(("Failed", "BackoffLimitExceeded")));
    let unheard = |ledger: &Ledger, pods: &[Arc<Pod>]| {
        let seen = job(&object, pods, None, at(10)).unwrap();
        is_unheard(Some(ledger), &seen, pods, &object)
    };
    assert!(unheard(&ledger(false), &[]));
    assert!(!unheard(&ledger(true), &[]), "its result is known");
    assert!(!unheard(&ledger(false), &[pod(&ended(1, "no"))]));
    assert_eq!(failed(job(&object, &[], None, at(10)).unwrap()).trouble.reason, "PodLost");
}

#[test]
fn other_jobs_are_ignored_and_a_terminating_job_may_still_run() {
    let mut object = job_object(None);
    object.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(5)));
    let ending = job(&object, &[], None, at(6)).unwrap();
    assert!(ending.state == InitState::Ending && ending.is_active());
    object.metadata.annotations = None;
    assert!(job(&object, &[], None, at(6)).is_none());
}
