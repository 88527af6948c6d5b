use serde_json::{Value, json};

use super::*;
use crate::protocol::report::{Built, Stage};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A build that was started at second 1,000 and may take 100 s.
fn started() -> Job {
    let annotations = json!({ names::BUILD_OF: "key/ab", names::ATTEMPT: "2" });
    serde_json::from_value(json!({
        "metadata": { "name": "shop-1a2b3c4d", "uid": "u", "annotations": annotations },
        "spec": { "activeDeadlineSeconds": 100, "template": {} },
        "status": { "startTime": at(1000), "active": 1 },
    }))
    .unwrap()
}

fn pod(status: &Value) -> Arc<Pod> {
    let owner = json!({ "apiVersion": "batch/v1", "kind": "Job", "name": "shop-1a2b3c4d", "uid": "u" });
    let metadata = json!({ "name": "shop-1a2b3c4d-x", "ownerReferences": [owner] });
    Arc::new(serde_json::from_value(json!({ "metadata": metadata, "status": status })).unwrap())
}

fn unscheduled() -> Arc<Pod> {
    let words = "0/3 nodes are available: 3 node(s) didn't match the selector.";
    let condition =
        json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words });
    pod(&json!({ "phase": "Pending", "conditions": [condition] }))
}

fn seen(pods: &[Arc<Pod>], second: i64) -> BuildJob {
    let started = started();
    by_now(job(&started, pods, None).unwrap(), &started, pods, at(second))
}

#[test]
fn a_build_whose_pod_does_not_run_gives_its_place_back_after_a_minute_with_the_reason() {
    let early = seen(&[unscheduled()], 1059);
    assert_eq!((&early.state, early.cutoff), (&JobState::Running, Some(at(1060))));
    assert_eq!(early.trouble.unwrap().reason, "Unschedulable");
    let late = seen(&[unscheduled()], 1060);
    assert_eq!(late.trouble, None, "the build has ended");
    let JobState::Lost(why) = late.state else { panic!("{:?}", late.state) };
    assert_eq!(why.reason, "Unschedulable");
    for part in ["did not run within 60 s", "0/3 nodes are available", "Other builds got its place"] {
        assert!(why.message.contains(part), "{}", why.message);
    }
}

#[test]
fn a_pod_that_runs_or_waits_without_a_reason_gets_its_full_deadline() {
    let running = json!({ "name": "build", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                          "state": { "running": {} } });
    let creating = json!({ "name": "build", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                           "state": { "waiting": { "reason": "ContainerCreating" } } });
    for container in [running, creating] {
        let pod = pod(&json!({ "phase": "Running", "containerStatuses": [container] }));
        assert_eq!(seen(&[pod], 1099).state, JobState::Running);
    }
}

fn evicted(words: &str) -> Arc<Pod> {
    pod(&json!({ "phase": "Failed", "reason": "Evicted", "message": words }))
}

#[test]
fn an_evicted_build_keeps_its_place_for_the_pod_that_replaces_it() {
    let seen = seen(&[evicted("The node was low on resource: memory.")], 1061);
    assert_eq!((&seen.state, seen.cutoff), (&JobState::Running, Some(at(1070))));
    assert_eq!(seen.trouble.unwrap().reason, "Evicted");
}

#[test]
fn a_pod_that_exceeds_its_limit_of_disk_is_out_of_disk_and_one_on_a_full_node_is_evicted() {
    let reason = |words: &str| {
        let mut ended = started();
        let condition = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }]);
        ended.status.as_mut().unwrap().conditions = Some(serde_json::from_value(condition).unwrap());
        let JobState::Lost(why) = job(&ended, &[evicted(words)], None).unwrap().state else {
            panic!("{words}")
        };
        assert!(why.message.contains(words.trim()), "{}", why.message);
        why.reason
    };
    for words in [
        "Usage of EmptyDir volume \"workspace\" exceeds the limit \"10Gi\". ",
        "Container build exceeded its local ephemeral storage limit \"10Gi\". ",
        "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. ",
    ] {
        assert_eq!(reason(words), "OutOfDisk");
    }
    assert_eq!(
        reason("The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi."),
        "Evicted"
    );
}

/// The Job of a builder pod, started at second 1,000, with these pods.
fn builder(active: i32, pods: Vec<Arc<Pod>>) -> Builder {
    let job = json!({
        "metadata": { "name": "builder-1a", "namespace": "doce-builds" },
        "status": { "startTime": at(1000), "active": active },
    });
    (Arc::new(serde_json::from_value(job).unwrap()), pods)
}

#[test]
fn a_build_whose_builder_pod_filled_its_disk_is_out_of_disk_although_the_build_pod_saw_only_that_it_is_gone()
{
    let lost = json!({ "failed": { "stage": "Build", "reason": "BuilderLost", "message": "it is gone", "source": "c1" } });
    let ended = json!({ "name": "build", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                        "state": { "terminated": { "exitCode": 75, "message": lost.to_string() } } });
    let mut build = started();
    let condition = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }]);
    build.status.as_mut().unwrap().conditions = Some(serde_json::from_value(condition).unwrap());
    let pods = [pod(&json!({ "phase": "Failed", "containerStatuses": [ended] }))];
    for (words, reason) in [
        ("Pod ephemeral local storage usage exceeds the total limit of containers 3Gi. ", "OutOfDisk"),
        ("The node was low on resource: memory.", "BuilderLost"),
    ] {
        let builder = builder(1, vec![evicted(words)]);
        let JobState::Failed(failed) = job(&build, &pods, Some(&builder)).unwrap().state else {
            panic!("{words}")
        };
        assert_eq!((failed.reason.as_str(), failed.source.as_deref()), (reason, Some("c1")));
    }
}

#[test]
fn a_build_whose_builder_pod_does_not_run_gives_its_place_back_too_with_the_reason() {
    let runs = json!({ "name": "build", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                       "state": { "running": {} } });
    let pods = [pod(&json!({ "phase": "Running", "containerStatuses": [runs] }))];
    let seen = |builder: &Builder, second| {
        let started = started();
        by_now(job(&started, &pods, Some(builder)).unwrap(), &started, &pods, at(second))
    };
    for (builder, reason, words) in [
        (
            builder(1, vec![unscheduled()]),
            "Unschedulable",
            "builder pod builder-1a in namespace doce-builds: no node",
        ),
        (builder(0, vec![]), "PodForbidden", "rejected the builder pod builder-1a"),
    ] {
        let early = seen(&builder, 1059);
        assert_eq!((&early.state, early.trouble.unwrap().reason.as_str()), (&JobState::Running, reason));
        let JobState::Lost(why) = seen(&builder, 1060).state else { panic!("{reason}") };
        assert!(why.reason == reason && why.message.contains(words), "{}", why.message);
    }
    let works = builder(1, pods.to_vec());
    assert_eq!(seen(&works, 1061).trouble, None);
    assert_eq!(seen(&builder(1, vec![evicted("The node was low on resource: memory.")]), 1061).trouble, None);
}

/// A pod whose build container ended at second 1,050.
fn reported(report: &Report, exit_code: i32) -> Arc<Pod> {
    let message = serde_json::to_string(report).unwrap();
    let ended = json!({ "exitCode": exit_code, "finishedAt": at(1050), "message": message });
    let container = json!({ "name": "build", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                            "state": { "terminated": ended } });
    pod(&json!({ "phase": "Running", "containerStatuses": [container] }))
}

fn failed_at(stage: Stage, reason: &str) -> Report {
    let failed = json!({ "stage": stage, "reason": reason, "message": "" });
    Report::Failed(serde_json::from_value(failed).unwrap())
}

#[test]
fn what_the_build_container_reports_counts_before_the_job_has_its_condition_if_no_later_pod_can_change_it() {
    let built = Report::Built(Built { digest: "sha256:ab".to_owned(), ..Built::default() });
    let seen_built = seen(&[reported(&built, 0)], 1051);
    assert!(matches!(&seen_built.state, JobState::Built(built) if built.digest == "sha256:ab"));
    assert_eq!(seen_built.finished, Some(at(1050)), "there is no other time yet");
    let verdict = reported(&failed_at(Stage::Build, "BuildFailed"), EXIT_VERDICT);
    assert!(matches!(seen(&[verdict], 1051).state, JobState::Failed(_)));
    // Kubernetes replaces a pod that was drained, so its fault is not the end of the Job.
    let fault = reported(&failed_at(Stage::Fetch, CANCELLED), crate::protocol::report::EXIT_FAULT);
    assert_eq!(seen(&[fault], 1051).state, JobState::Running);
}

#[test]
fn a_report_counts_only_once_the_start_of_its_job_is_known() {
    let mut unstarted = started();
    unstarted.status = None;
    let built = [reported(&Report::Built(Built::default()), 0)];
    assert_eq!(job(&unstarted, &built, None).unwrap().state, JobState::Running);
}

#[test]
fn the_end_of_a_build_is_the_same_before_and_after_its_job_has_a_condition() {
    let pods = [reported(&Report::Built(Built::default()), 0)];
    let mut ended = started();
    let condition = json!([{ "type": "Complete", "status": "True", "lastTransitionTime": at(1053) }]);
    ended.status.as_mut().unwrap().conditions = Some(serde_json::from_value(condition).unwrap());
    ended.status.as_mut().unwrap().completion_time =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1053)));
    let (before, after) = (job(&started(), &pods, None).unwrap(), job(&ended, &pods, None).unwrap());
    assert!(before.closes && !after.closes);
    assert_eq!(BuildJob { closes: false, ..before }, after);
}

#[test]
fn a_report_in_a_suspended_or_deleted_job_waits_for_what_follows() {
    let pods = [reported(&Report::Built(Built::default()), 0)];
    let mut suspended = started();
    suspended.spec.as_mut().unwrap().suspend = Some(true);
    assert_eq!(job(&suspended, &pods, None).unwrap().state, JobState::Queued);
    let mut deleted = started();
    deleted.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1051)));
    assert_eq!(job(&deleted, &pods, None).unwrap().state, JobState::Ending);
}

#[test]
fn a_pod_deleted_by_its_deadline_counts_as_ended_before_its_job_reports_it() {
    let mut leaves = Pod::clone(&unscheduled());
    leaves.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1100)));
    for pods in [vec![Arc::new(leaves)], vec![]] {
        let JobState::Lost(why) = seen(&pods, 1100).state else { panic!("it counts as running") };
        assert_eq!(why.reason, "BuildTimeout");
        assert_eq!(seen(&pods, 1050).state, JobState::Running);
    }
}

#[test]
fn a_very_short_deadline_leaves_one_second_before_the_last_words() {
    let mut short = started();
    short.spec.as_mut().unwrap().active_deadline_seconds = Some(1);
    assert_eq!(job(&short, &[], None).unwrap().cutoff, Some(at(1001)));
    short.status = None;
    assert_eq!(job(&short, &[], None).unwrap().cutoff, None, "it has not started");
}

/// Whether the Job of the only lookup, which resolved to commit `c1`, is open.
fn answered_is_open(record: Option<(&str, bool)>, failed: bool) -> bool {
    let mut ledger: Ledger =
        serde_json::from_value(json!({ "lookup": { "of": "main", "number": 1 } })).unwrap();
    let source = crate::memory::record::SourceFact { digest: "c1".to_owned(), ..Default::default() };
    let answer = crate::memory::ledger::Answer { number: 1, source };
    ledger.lookup.as_mut().unwrap().answer = Some(answer);
    if failed {
        let failed =
            Attempts { failed: Some(crate::memory::ledger::Failure::default()), ..Attempts::default() };
        ledger.builds.insert("k1".to_owned(), failed);
    }
    let records = record.map(|(digest, image)| {
        let source = crate::memory::record::SourceFact { digest: digest.to_owned(), ..Default::default() };
        let facts = crate::memory::record::Facts { source, key: Some("k1".to_owned()), ..Default::default() };
        ("v1".to_owned(), Record { facts, image: image.then(Default::default), ..Record::default() })
    });
    let mut job = job(&started(), &[], None).unwrap();
    job.of = BuildTarget::Lookup(1);
    is_open(Some(&ledger), &records.into_iter().collect(), &job)
}

#[test]
fn a_lookup_job_is_open_until_the_record_of_its_result_has_an_image() {
    assert!(answered_is_open(None, false), "there is no record yet");
    assert!(answered_is_open(Some(("c0", true)), false), "that record is of the previous commit");
    assert!(answered_is_open(Some(("c1", false)), false), "the record has no image yet");
    assert!(!answered_is_open(Some(("c1", true)), false));
    assert!(!answered_is_open(Some(("c1", false)), true), "the build failed, so there is no image");
}
