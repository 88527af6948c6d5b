use serde_json::{Value, json};

use super::*;
use crate::build_queue::schedule::{self, Limits};
use crate::protocol::order::cleanup::CLEANUP_ENV;

const REPOSITORY: &str = "r.example/you/shop";

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

fn job(name: &str, state: &str, variable: &str, order: &Value, annotations: &Value) -> Arc<Job> {
    let conditions =
        if state == "done" { json!([{ "type": "Complete", "status": "True" }]) } else { json!([]) };
    let env = json!([{ "name": variable, "value": order.to_string() }]);
    let labels = json!({ "doce.dev/project": "shop", "doce.dev/uid": "u" });
    let job = json!({
        "metadata": {
            "name": name, "namespace": "n", "uid": name, "labels": labels, "annotations": annotations,
        },
        "spec": {
            "suspend": state == "waits",
            "template": { "spec": { "containers": [{ "name": "it", "env": env }] } },
        },
        "status": { "conditions": conditions },
    });
    Arc::new(serde_json::from_value(job).unwrap())
}

/// The cleanup of the image `a` of version `va`, built for key `ka`.
fn cleanup(name: &str, state: &str) -> Arc<Job> {
    let order = json!({ "repository": REPOSITORY, "digest": digest('a'), "key": "ka" });
    job(name, state, CLEANUP_ENV, &order, &json!({ "doce.dev/cleanup-of": "va" }))
}

fn build(name: &str, state: &str, repository: &str) -> Arc<Job> {
    let of = json!({ "doce.dev/build-of": "key/kb", "doce.dev/attempt": "0" });
    job(name, state, "DOCE_ORDER", &json!({ "repository": repository }), &of)
}

/// The pod of a build that ended with an image.
fn reports(job: &str, digest: &str) -> Arc<Pod> {
    let report = json!({ "built": { "digest": digest, "key": "kb", "source": "s", "platform": "" } });
    let ended = json!({ "terminated": { "exitCode": 0, "message": report.to_string() } });
    let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": job }]);
    let status = json!({ "containerStatuses": [
        { "name": "build", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended },
    ]});
    let pod = json!({ "metadata": { "name": "p", "ownerReferences": owner }, "status": status });
    Arc::new(serde_json::from_value(pod).unwrap())
}

fn record(namespace: &str, uid: &str, version: &str, key: &str, image: &str) -> Arc<ControllerRevision> {
    let image = json!({ "reference": format!("{REPOSITORY}@{image}") }).to_string();
    let metadata = json!({
        "name": version, "namespace": namespace, "labels": { "doce.dev/uid": uid },
        "annotations": { "doce.dev/image": image },
    });
    let data = json!({ "version": version, "key": key });
    Arc::new(serde_json::from_value(json!({ "metadata": metadata, "data": data, "revision": 1 })).unwrap())
}

fn names(jobs: &[Arc<Job>]) -> Vec<String> {
    jobs.iter().map(|job| job.name_any()).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// The same Job, started so many seconds ago.
fn since(job: &Arc<Job>, seconds: i64) -> Arc<Job> {
    let started = Timestamp::from_second(now().as_second() - seconds).unwrap().to_string();
    let mut changed = serde_json::to_value(&**job).unwrap();
    changed["status"]["startTime"] = json!(started);
    Arc::new(serde_json::from_value(changed).unwrap())
}

/// The same Job in another namespace.
fn elsewhere(job: &Arc<Job>) -> Arc<Job> {
    let mut changed = Job::clone(job);
    changed.metadata.namespace = Some("elsewhere".to_owned());
    Arc::new(changed)
}

/// Names of the cleanups that start and of those that are deleted, and whether others wait.
fn planned(
    jobs: &[Arc<Job>],
    revisions: &[Arc<ControllerRevision>],
    pods: &[Arc<Pod>],
) -> (Vec<String>, Vec<String>, bool) {
    let plan = plan(&Seen { jobs, now: now(), revisions }, |_| pods.to_vec());
    (names(&plan.start), names(&plan.drop), plan.wait)
}

fn starts() -> (Vec<String>, Vec<String>, bool) {
    (vec!["c".to_owned()], vec![], false)
}

fn waits() -> (Vec<String>, Vec<String>, bool) {
    (vec![], vec![], true)
}

#[test]
fn a_cleanup_starts_only_after_its_record_is_gone() {
    let jobs = [cleanup("c", "waits")];
    assert_eq!(planned(&jobs, &[], &[]), starts());
    let own = record("n", "u", "va", "ka", &digest('a'));
    assert_eq!(planned(&jobs, &[own], &[]), waits());
}

#[test]
fn a_retried_cleanup_starts_after_its_pause() {
    let again = |seconds| {
        let mut job = Job::clone(&cleanup("c", "waits"));
        job.annotations_mut().insert("doce.dev/attempt".to_owned(), "3".to_owned());
        let made = Timestamp::from_second(now().as_second() - seconds).unwrap();
        job.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(made));
        [Arc::new(job)]
    };
    assert_eq!(planned(&again(299), &[], &[]), waits());
    assert_eq!(planned(&again(300), &[], &[]), starts());
}

#[test]
fn a_cleanup_is_cancelled_if_any_record_names_its_image_or_key() {
    let jobs = [cleanup("c", "waits")];
    let taken_back = (vec![], vec!["c".to_owned()], false);
    for other in [
        record("elsewhere", "x", "vx", "kx", &digest('a')),
        record("elsewhere", "x", "va", "ka", &digest('b')),
        record("n", "u", "vb", "ka", &digest('a')),
        record("n", "a later namesake", "va", "ka", &digest('a')),
    ] {
        assert_eq!(planned(&jobs, std::slice::from_ref(&other), &[]), taken_back, "{other:?}");
    }
    let unread = job("c", "waits", CLEANUP_ENV, &json!("?"), &json!({ "doce.dev/cleanup-of": "va" }));
    assert_eq!(planned(&[unread], &[], &[]), taken_back);
}

#[test]
fn a_cleanup_waits_for_builds_that_may_still_name_its_image() {
    let with = |other: Arc<Job>, pods: &[Arc<Pod>]| planned(&[cleanup("c", "waits"), other], &[], pods);
    for state in ["waits", "runs"] {
        assert_eq!(with(build("b", state, REPOSITORY), &[]), waits(), "{state}");
        assert_eq!(with(build("b", state, "r.example/you/other"), &[]), starts(), "{state}");
    }
    let done = || build("b", "done", REPOSITORY);
    assert_eq!(with(done(), &[reports("b", &digest('a'))]), waits(), "it reused this image");
    assert_eq!(with(done(), &[reports("b", &digest('b'))]), starts());
    assert_eq!(with(done(), &[]), waits(), "its result is not recorded yet");
    assert_eq!(with(elsewhere(&build("b", "runs", REPOSITORY)), &[]), waits());
}

#[test]
fn a_build_with_an_unreadable_order_blocks_cleanups_only_in_its_namespace() {
    let unclear = job("b", "runs", "DOCE_ORDER", &json!("?"), &json!({}));
    assert_eq!(planned(&[cleanup("c", "waits"), elsewhere(&unclear)], &[], &[]), starts());
    assert_eq!(planned(&[cleanup("c", "waits"), unclear], &[], &[]), waits());
}

#[test]
fn at_most_two_cleanups_run_at_a_time() {
    let jobs = [cleanup("r", "runs"), cleanup("c", "waits"), cleanup("d", "waits"), cleanup("e", "done")];
    assert_eq!(planned(&jobs, &[], &[]), (vec!["c".to_owned()], vec![], true));
}

#[test]
fn a_running_cleanup_blocks_only_builds_of_its_repository() {
    let limits = Limits { cluster: 5, namespace: 5, polls: None };
    let released = |state: &str| {
        let jobs = [
            cleanup("c", state),
            build("b", "waits", REPOSITORY),
            build("o", "waits", "r.example/you/other"),
        ];
        let cleaned = under_way(&jobs, now());
        names(&schedule::jobs_to_start(&jobs, limits, |job| lets_build(&cleaned, job)))
    };
    assert_eq!(released("runs"), ["o"]);
    for state in ["waits", "done"] {
        assert_eq!(released(state), ["b", "o"], "{state}");
    }
}

#[test]
fn a_stuck_cleanup_blocks_builds_and_cleanups_only_until_its_deadline() {
    let runs = |seconds| since(&cleanup("r", "runs"), seconds);
    let held = |seconds| !under_way(&[runs(seconds)], now()).is_empty();
    assert_eq!([0, 120, 149, 150, 9999].map(held), [true, true, true, false, false]);
    assert!(!under_way(&[cleanup("r", "runs")], now()).is_empty(), "it is about to start");
    let with = |seconds| planned(&[runs(seconds), runs(seconds), cleanup("c", "waits")], &[], &[]);
    assert_eq!(with(149), waits());
    assert_eq!(with(150), starts());
}

#[test]
fn a_cleanup_takes_no_build_slot() {
    let jobs = [cleanup("c", "runs"), cleanup("d", "waits")];
    let limits = Limits { cluster: 1, namespace: 1, polls: None };
    assert_eq!(names(&schedule::jobs_to_start(&jobs, limits, |_| true)), Vec::<String>::new());
    assert!(schedule::has_slot(&jobs, limits, "n", |_| true));
    assert_eq!(schedule::queue_order(&jobs, limits, |_| true), []);
}
