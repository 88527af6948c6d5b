use serde_json::{Value, json};

use super::*;

fn pod(status: &Value) -> Pod {
    let mut container =
        json!({ "name": "app", "image": "i", "imageID": "", "ready": false, "restartCount": 0 });
    for (key, value) in status.as_object().unwrap() {
        container[key] = value.clone();
    }
    let metadata = json!({ "name": "shop-1-2", "uid": "u" });
    serde_json::from_value(json!({ "metadata": metadata, "status": { "containerStatuses": [container] } }))
        .unwrap()
}

fn check() -> Check {
    let get = json!({ "httpGet": { "path": "/", "port": "http" }, "timeoutSeconds": 2, "periodSeconds": 1 });
    let mut startup = get.clone();
    startup["failureThreshold"] = json!(295);
    let container = json!({
        "name": "app", "ports": [{ "containerPort": 3000 }], "readinessProbe": get, "startupProbe": startup,
    });
    Check::of(&serde_json::from_value(container).unwrap()).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The trouble at `now` of a container in that state, with a message of the kubelet and the second when it was sent.
fn trouble(status: &Value, said: Option<(&str, i64)>, now: i64) -> Trouble {
    let sighting =
        said.map(|(said, second)| ("u".to_owned(), ProbeEvent { said: said.to_owned(), at: at(second) }));
    let probe_events = sighting.into_iter().collect();
    let looked = Looked { now: at(now), probe_events: &probe_events };
    let (pod, check) = (pod(status), check());
    given_up(&pod, Some(&check), looked)
        .or_else(|| waiting(&pod))
        .or_else(|| not_ready(&pod, Some(&check), looked))
        .unwrap()
}

fn running(second: i64) -> Value {
    json!({ "running": { "startedAt": at(second).to_string() } })
}

fn ended(code: i32, from: i64, to: i64) -> Value {
    json!({ "terminated": { "exitCode": code, "reason": "Error", "message": "Error: no", "startedAt": at(from).to_string(),
        "finishedAt": at(to).to_string() } })
}

const REFUSED: &str = "Startup probe failed: Get \"http://10.0.0.1:3000/\": dial tcp 10.0.0.1:3000: connect: connection refused";
const MISSING: &str = "Startup probe failed: HTTP probe failed with statuscode: 404";

#[test]
fn a_program_that_just_started_is_reported_as_starting() {
    let young = |said| trouble(&json!({ "state": running(0) }), said, 5).message;
    assert_eq!(young(None), "it runs, and has not answered its health check yet");
    assert_eq!(young(Some((REFUSED, 4))), "it is starting, and does not listen on port 3000 yet");
    assert!(young(Some((MISSING, 4))).starts_with("GET / answered 404"), "an answer is reported at once");
    let later = |said| trouble(&json!({ "state": running(0) }), said, 20);
    assert!(later(None).message.contains("does it listen on port 3000"));
    assert_eq!(later(Some((REFUSED, 19))).reason, NOT_LISTENING);
    assert_eq!(later(Some((MISSING, 19))).reason, NOT_READY);
}

#[test]
fn an_old_message_shows_its_time_and_messages_about_other_containers_are_ignored() {
    let status = json!({ "state": running(0) });
    let old = trouble(&status, Some((REFUSED, 23)), 200).message;
    assert!(old.ends_with("(last reported 23 s after it started)"), "{old}");
    assert!(!trouble(&status, Some((REFUSED, 23)), 30).message.contains("last reported"));
    assert!(
        trouble(&json!({ "state": running(100) }), Some((MISSING, 50)), 200)
            .message
            .contains("does it listen")
    );
}

#[test]
fn a_started_container_that_stops_answering_is_reported() {
    let status = json!({ "state": running(0), "started": true });
    let met =
        trouble(&status, Some(("Readiness probe failed: HTTP probe failed with statuscode: 503", 99)), 100);
    assert!(met.message.starts_with("it was ready, and now: GET / answered 503"), "{}", met.message);
}

#[test]
fn the_exit_of_a_program_counts_unless_the_kubelet_killed_it_for_a_failed_probe() {
    let waits = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=app" } });
    let crashed = json!({ "state": waits, "lastState": ended(1, 0, 3), "restartCount": 1 });
    let crash = trouble(&crashed, Some((REFUSED, 2)), 5);
    assert_eq!(
        (crash.reason.as_str(), crash.message.as_str()),
        ("CrashLoopBackOff", "the app ended with exit code 1: Error: no")
    );
    let again = json!({ "state": running(13), "lastState": ended(1, 0, 3), "restartCount": 1 });
    assert_eq!(trouble(&again, Some((REFUSED, 14)), 15).reason, "ContainerExits");

    for state in [running(302), waits] {
        let killed = json!({ "state": state, "lastState": ended(143, 0, 301), "restartCount": 1 });
        let met = trouble(&killed, Some((MISSING, 20)), 309);
        assert_eq!(met.reason, NOT_READY);
        assert!(met.message.starts_with("GET / answered 404"), "{}", met.message);
        let asked = trouble(&killed, None, 309).message;
        assert!(asked.contains("does it listen on port 3000"), "{asked}");
    }
}

#[test]
fn only_a_container_that_can_never_start_is_hopeless() {
    let last = |code: i32, reason: &str, said: &str| json!({ "terminated": { "exitCode": code, "reason": reason, "message": said } });
    let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    let is = |last: Value, restarts: i32| {
        let status = json!({ "state": waits, "lastState": last, "restartCount": restarts });
        hopeless(&pod(&status), &waiting(&pod(&status)).unwrap())
    };
    assert!(!is(last(1, "Error", "connect ECONNREFUSED 10.0.0.5:5432"), 40));
    assert!(!is(last(137, "OOMKilled", ""), 40));
    assert!(is(last(127, "Error", "sh: 1: foo: not found"), 3));
    assert!(is(last(128, "StartError", "exec: \"foo\": executable file not found in $PATH"), 1));
    let named = Trouble { reason: "InvalidImageName".into(), message: String::new() };
    assert!(hopeless(&pod(&json!({})), &named));
}
