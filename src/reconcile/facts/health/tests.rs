use serde_json::{Value, json};

use super::*;

fn check(probe: &Value) -> Check {
    let container = json!({
        "name": "app", "ports": [{ "name": "http", "containerPort": 3000 }], "readinessProbe": probe,
    });
    Check::of(&serde_json::from_value(container).unwrap()).unwrap()
}

fn get(path: &str) -> Check {
    check(&json!({ "httpGet": { "path": path, "port": "http" }, "timeoutSeconds": 2 }))
}

/// The messages are those of kubelet 1.36.
#[test]
fn every_probe_failure_is_explained_with_the_setting_that_fixes_it() {
    for (said, words, line) in [
        (
            "Startup probe failed: HTTP probe failed with statuscode: 401",
            "GET / answered 401",
            "spec.run.health.path",
        ),
        ("Readiness probe failed: HTTP probe failed with statuscode: 403", "GET / answered 403", "type: TCP"),
        ("Startup probe failed: HTTP probe failed with statuscode: 404", "GET / answered 404", "type: TCP"),
        ("Startup probe failed: HTTP probe failed with statuscode: 400", "GET / answered 400", "httpHeaders"),
        ("Startup probe failed: HTTP probe failed with statuscode: 503", "GET / answered 503", "log"),
        (
            "Startup probe failed: Get \"https://10.42.0.7:3000/\": http: server gave HTTP response to HTTPS client",
            "GET / redirects to https://10.42.0.7:3000/",
            "X-Forwarded-Proto: https",
        ),
        (
            "Startup probe failed: Get \"https://10.42.0.7/\": dial tcp 10.42.0.7:443: connect: connection refused",
            "GET / redirects to https://10.42.0.7/",
            "type: TCP",
        ),
        ("Startup probe failed: Get \"/\": stopped after 10 redirects", "GET / redirects in a loop", "path"),
        (
            "Startup probe failed: Get \"http://10.42.0.7:3000/\": dial tcp 10.42.0.7:3000: connect: connection refused",
            "connection refused on port 3000",
            "127.0.0.1 only",
        ),
        (
            "(combined from similar events): Startup probe failed: Get \"http://10.42.0.7:3000/\": context deadline exceeded \
             (Client.Timeout exceeded while awaiting headers)",
            "GET / got no answer on port 3000 within 2 s",
            "timeoutSeconds",
        ),
        (
            "Startup probe failed: Get \"http://10.42.0.7:3000/\": EOF",
            "GET / on port 3000 got no HTTP answer",
            "type: TCP",
        ),
    ] {
        let met = get("/").met(said);
        assert!(met.words.starts_with(words) && met.words.contains(line), "{said}\n{}", met.words);
        assert_eq!(met.refused, words.starts_with("connection refused"), "{said}");
    }
}

#[test]
fn tcp_and_command_probes_have_their_own_messages() {
    let tcp = check(&json!({ "tcpSocket": { "port": 9000 }, "timeoutSeconds": 2 }));
    let met = tcp.met("Startup probe failed: dial tcp 10.42.0.7:9000: connect: connection refused");
    assert!(met.refused && met.words.starts_with("connection refused on port 9000"), "{}", met.words);
    let command = check(&json!({ "exec": { "command": ["pg_isready", "-q"] }, "timeoutSeconds": 7 }));
    let met = command.met("Startup probe failed: no response");
    assert_eq!(
        met.words,
        "the command \"pg_isready -q\" of spec.run.health did not exit with 0: no response"
    );
    let met = command.met("Startup probe failed: command timed out: \"pg_isready -q\" timed out after 7s");
    assert!(met.words.contains("did not end within 7 s"), "{}", met.words);
    assert!(command.unanswered().contains("exit with 0 within 7 s"));
}

#[test]
fn messages_of_the_kubelet_are_bounded() {
    for said in ["", "Startup probe failed: ", "statuscode: ", &"Get \"https://".repeat(400)] {
        assert!(get("/x").met(said).words.len() < 1000);
    }
}
